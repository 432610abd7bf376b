"""Golden vectors of reading words: spec/vectors/tools.json, for the device's code and the host's compiler of tools.json."""
import json
import pathlib
import random

import words

HERE = pathlib.Path(__file__).parent
SEED = 6

TWO_LIGHTS = {"name": "two lights", "tools": [
    {"name": "growbox lamp", "kind": "light", "aliases": ["growbox lamp", "growbox", "lamp"],
     "argument": {"unit": "percent", "min": 10, "max": 90, "step": 5, "on": 50, "values": {"dim": 10, "very bright": 90}},
     "drive": {"type": "pwm", "pin": 2, "hz": 500, "duty": [100, 60000], "inverted": True}},
    {"name": "ceiling", "kind": "light", "aliases": ["ceiling light", "lamp"], "drive": {"type": "gpio", "pin": 3, "inverted": True}},
    {"name": "third light", "kind": "light", "aliases": ["Third Light"], "drive": {"type": "none"}},
    {"name": "pump seven", "kind": "switch", "aliases": ["pump seven", "o'brien's pump"], "drive": {"type": "gpio", "pin": 4}},
    {"name": "sonde", "kind": "sensor", "aliases": ["größe", "füllstand"], "argument": {"unit": "celsius", "min": -10, "max": 50}, "drive": {"type": "adc", "channel": 1, "raw": [60000, 1000]}},
    {"name": "egg timer", "kind": "timer", "argument": {"unit": "seconds", "min": 1, "max": 600, "step": 30}, "drive": {"type": "timer"}},
    {"name": "fan", "kind": "fan", "argument": {"unit": "percent", "min": 0, "max": 100, "step": 10, "on": 100, "values": {"dim": 20}}, "drive": {"type": "none"}},
]}

TEXTS = """please switch the lamp on and set the fan to 40 percent
Turn ON the Lights!!
it's too dark in here
it\u2019s too dark in here
set the lamp to 40%
set the lamp to 40 % please
lamp 40 per cent
40percent lamp
heater to 21.5 degrees celsius
heater to 21.5 degrees c
heater to 21.5\u00b0c
heater to 21.5 \u00b0c
heater to 21.5\u00b0 c
heater 70f
heater 70 f
heater 70 degrees fahrenheit
heater 0 degrees f and 32 degrees f and 212 fahrenheit
heater 100.5 fahrenheit
set a timer for 10 minutes
10min timer
10 m timer
10m timer
timer 90s
timer for an hour and a half
timer for an hour and a quarter
timer for 5 and a half minutes
timer for one and a half hours
timer for half an hour
timer for half hour
timer for half a minute
timer for 1/2 a minute
timer 1/2 hour
timer for 1 hour and 30 minutes
timer for 1 hour 30 minutes 15 seconds
timer for 30 minutes and 1 hour
timer for 2 days
timer for a quarter of an hour
timer for three quarters of an hour
an hour and three quarters
three quarters of the lights
half of an hour
half of the lamp
timer for 1 1/2 hours
timer for 1 1/2h
1 3/2 hours
1 1/2 of an hour
2.5 1/2
timer for 1/4 of an hour
timer for 1 h 30 m 5 s
ten m timer
10 s and 5 f
5 m and a c
.5 hours
lamp to .5
.5.5
..5
a.5
0.5 .25 5.
.
out of a hundred
on for thirty one days
thirty one days and a half
timer a minute and a second
timer for an hour and half a minute
wait a second
a hundred percent
one hundred and twenty percent
nine hundred ninety nine
hundred
hundred and one
twenty five point two five percent
twenty point ten
zero point five
point five
eleven hundred
forty forty
twenty twenty five
thirty eleven
one hundred and the lamp
half
half the lights
a half
quarter
half percent
half a degree
one half
two and a half
2 and a half percent
5 percent and a half
1,000 percent
7:30
3rd floor
2x
1.2.3
1.
.5
12345678
9999999 hours
2147483 hours
2147483 percent
2147484 percent
0/5
5/0
1/3
2/3 percent
100/3
99/98
1/2/3
-5 degrees
minus 5
max
maximum brightness
full power
full
all the way up
all the way down
half way up
lowest
low medium high
set the fan to high and low
high high high high
1 2 3 4 5
10% 20% 30% 40% of 50 percent
lamp lights lamp
ceiling fan
smart plug socket
wemo plug sockets
turn on this one
lamp's on
o'brien's pump's on
'lamp'
"lamp"
lamp-fan
lamp/fan
lamp_fan
(lamp)
don't turn on the lamp
growbox lamps and ceiling lights and the third light
third light ceiling growbox
ceiling growbox third lights
the lamp
pump seven on
pump 7 on
gr\u00f6\u00dfe f\u00fcllstand GR\u00d6SSE
very bright dim
egg timer 5 minutes
\u4f60\u597d lamp
caf\u00e9

 
\t\n lamp \r\n
a
an hour
and
point
percent
degrees
5 degrees degrees
5 percent percent
ten percent ten degrees ten minutes ten
1 hour 1 hour
1 minute and lamp
1 hour and a lamp
1 hour and 5
1 hour and 5 percent
an hour and a lamp
a an a
a hundred hundred
5 and
5 and a
""".split("\n")


def cases(table, texts):
    out = []
    for text in texts:
        r = words.read(text, table)
        slots = [[k, r.words[k] if k in r.words else v] for k, v in r.slots.items()]
        out.append({"text": text, "items": [x if isinstance(x, str) else f"<|{x[1]}|>" for x in r.items], "slots": slots,
                    "tools": [[k, table.tools[i]["name"]] for k, i in r.tools.items()]})
    return out


def noise(table, rng, n):
    """Random sequences of what means something, and of what does not."""
    pool = sorted({" ".join(p[1]) for p in table.phrases}) + "the on off to by please 1 2 7 10 12.5 50 1/2 300 5% 20c 5min in turn".split()
    return [rng.choice([" ", " ", " ", ", ", "-"]).join(rng.choice(pool) for _ in range(rng.randrange(1, 9))) for _ in range(n)]


def write(path):
    rng = random.Random(SEED)
    out = []
    for spec in (json.loads((HERE / "../../assistant/tools/home.json").read_text(encoding="utf-8")), TWO_LIGHTS):
        table = words.Table(spec)
        out.append({"tools": spec, "binary": table.compile().hex(), "cases": cases(table, TEXTS + noise(table, rng, 200))})
    text = ",\n".join(
        '{ "tools": %s,\n  "binary": "%s",\n  "cases": [\n%s\n] }' % (json.dumps(t["tools"]), t["binary"], ",\n".join("    " + json.dumps(c) for c in t["cases"]))
        for t in out)
    path.write_text("[\n" + text + "\n]\n")
