"""What keyboards, speech recognition and manners do to a phrase."""
import phrasings

GERUNDS = {v: g for v, g in (pair.split(":") for pair in """
turn:turning switch:switching put:putting start:starting activate:activating enable:enabling power:powering get:getting flip:flipping bring:bringing set:setting run:running give:giving
light:lighting illuminate:illuminating open:opening raise:raising pull:pulling roll:rolling draw:drawing lift:lifting close:closing shut:shutting lower:lowering drop:dropping lock:locking secure:securing bolt:bolting
unlock:unlocking unbolt:unbolting release:releasing make:making brew:brewing prepare:preparing fix:fixing warm:warming heat:heating begin:beginning send:sending clean:cleaning dispatch:dispatching initiate:initiating
arm:arming sound:sounding trigger:triggering ring:ringing unmute:unmuting cut:cutting kill:killing stop:stopping deactivate:deactivating disable:disabling take:taking end:ending unplug:unplugging halt:halting
extinguish:extinguishing darken:darkening call:calling return:returning dock:docking park:parking pause:pausing disarm:disarming silence:silencing mute:muting cancel:cancelling delete:deleting clear:clearing
remove:removing reset:resetting change:changing adjust:adjusting move:moving increase:increasing reduce:reducing decrease:decreasing boost:boosting bump:bumping crank:cranking dial:dialling slide:sliding dim:dimming
brighten:brightening speed:speeding slow:slowing pump:pumping push:pushing step:stepping nudge:nudging soften:softening ease:easing tone:toning scale:scaling knock:knocking create:creating add:adding extend:extending
lengthen:lengthening prolong:prolonging subtract:subtracting shorten:shortening shave:shaving check:checking show:showing read:reading tell:telling measure:measuring report:reporting cool:cooling fire:firing
intensify:intensifying accelerate:accelerating lessen:lessening throw:throwing wind:winding sweep:sweeping vacuum:vacuuming hoover:hoovering drag:dragging shift:shifting
launch:launching engage:engaging energize:energizing wake:waking kick:kicking boot:booting keep:keeping leave:leaving use:using pop:popping stick:sticking hoist:hoisting fling:flinging swing:swinging
latch:latching fasten:fastening seal:sealing deadbolt:deadbolting cook:cooking pour:pouring serve:serving deploy:deploying unleash:unleashing undock:undocking commence:commencing resume:resuming
mop:mopping scrub:scrubbing tidy:tidying plug:plugging restore:restoring ventilate:ventilating ramp:ramping configure:configuring program:programming hike:hiking blast:blasting play:playing
quit:quitting shush:shushing quieten:quietening hush:hushing retire:retiring recall:recalling retract:retracting unlatch:unlatching unfasten:unfastening abort:aborting scrap:scrapping hold:holding
count:counting place:placing regulate:regulating tune:tuning trim:trimming tilt:tilting crack:cracking unwind:unwinding rest:resting shoo:shooing steer:steering
""".split())}
NEAR = dict(zip("qwertyuiopasdfghjklzxcvbnm", "wetyuioipoqsdfghjkasxcvbnn"))
FILLERS = ["uh", "um", "er", "like", "you know", "hmm", "well", "please", "erm", "ah"]
SOUNDS = {"turn": ["tern", "tun", "trun"], "off": ["of", "offf"], "on": ["oon"], "the": ["teh", "da", "th", "a"], "please": ["pls", "plz", "pleas"], "you": ["u", "yu"], "could": ["cud", "coud"],
          "what": ["wat", "waht"], "switch": ["swich", "swithc"], "set": ["sett"], "want": ["wan"], "going": ["goin"], "and": ["an", "n", "nd"], "to": ["too"], "for": ["fro", "fr"], "are": ["r"], "your": ["ur"],
          "too": ["to"], "it's": ["its", "is"], "is": ["iz", "si"], "don't": ["dont", "dont"], "not": ["nto", "nt"], "minutes": ["minuets"], "want to": ["wanna"], "because": ["cuz"]}
WRAPPERS = phrasings.pairs("wrappers")


def base_form(text):
    """Whether a clause begins with a verb that "don't" or "could you" can stand before."""
    return text.split(" ", 1)[0] in GERUNDS


def gerund(text):
    verb, _, rest = text.partition(" ")
    return f"{GERUNDS[verb]} {rest}".strip()


def wrap(text, form, rng):
    """Manners around a whole command or question; most are said without."""
    if form == "fixed" or rng.random() < 0.4:
        return text
    if form == "imperative" and base_form(text):
        kind = "do" if rng.random() < 0.75 else "any"
    else:
        kind = "ask" if form == "question" and rng.random() < 0.7 else "any"
    wrapper = rng.choice(WRAPPERS[kind])
    out = wrapper.replace("{C.ing}", gerund(text)) if "{C.ing}" in wrapper else wrapper.replace("{C}", text)
    if kind == "any" and rng.random() < 0.15:
        out = rng.choice(WRAPPERS["any"]).replace("{C}", out)
    return out


def typo(word, rng):
    """One slip within a word of at least four letters."""
    i, what = rng.randrange(1, len(word) - 1), rng.randrange(5)
    if what == 0:
        return word[:i] + word[i + 1] + word[i] + word[i + 2 :]
    if what <= 2:
        return word[:i] + word[i + 1 :]
    if what == 3:
        return word[:i] + word[i] + word[i:]
    return word[:i] + NEAR.get(word[i], "e") + word[i + 1 :]


def disturb(text, rng):
    """One or two slips, fillers or misheard words. May hit an alias or a number: the caller checks."""
    words = text.split(" ")
    for _ in range(1 if rng.random() < 0.75 else 2):
        i, r = rng.randrange(len(words)), rng.random()
        if r < 0.35:
            words.insert(i, rng.choice(FILLERS))
        elif r < 0.55 and words[i] in SOUNDS:
            words[i] = rng.choice(SOUNDS[words[i]])
        elif r < 0.65 and words[i] in ("the", "my", "a", "to", "please", "is"):
            words[i] = ""
        elif r < 0.72:
            words.insert(i, words[i])
        elif len(words[i]) >= 4 and words[i].isalpha():
            words[i] = typo(words[i], rng)
    return " ".join(w for w in words if w)


def written(text, rng):
    """As one types it: a capital and a full stop, or not."""
    r = rng.random()
    if r < 0.8:
        return text
    return text[:1].upper() + text[1:] + (rng.choice([".", "!", "?", ""]) if r < 0.95 else "")
