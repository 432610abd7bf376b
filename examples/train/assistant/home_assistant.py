"""Home Assistant's intents (English) as calls of the board: its test sentences are a test, its templates, drawn, are training.

Both carry the same slots, so both are labelled by `label`. Areas and floors are ignored: the board is one room.
"""
import random
import re

import templates

SEED, DRAWS, DRAWS_DECLINED = 6, 60, 6  # draws of a template
MOST = 250  # texts of an intent that mean the same call, so that the many templates of lights do not outweigh the rest
NAMES = {  # names that training draws, by domain; of the tests' own houses those that a tool answers to are in TOOLS
    "light": "lamp|desk lamp|light|bedside lamp|table lamp|bedroom light|reading lamp|floor lamp|led|ceiling light|kitchen light",
    "fan": "fan|desk fan|ceiling fan|bedroom fan|ventilator",
    "switch": "plug|socket|smart plug|outlet|kitchen plug",
    "cover": "curtain|blind|roller blind|left curtain|right curtain|bedroom blinds|shade|kitchen shutter|garage door|sliding door|gate|awning",
    "lock": "front door|back door|door|door lock|kitchen door|lock",
    "climate": "thermostat|heater|heating|radiator|bedroom thermostat|living room radiator",
    "media_player": "TV|speaker|living room TV|speakers|kitchen speaker|television",
    "vacuum": "robot|vacuum|roomba|vacuum cleaner|robot vacuum|hoover",
    "maker": "coffee machine|coffee maker",
    "valve": "main valve|garden valve|water valve",
    "scene": "party mode|movie night|romantic|dinner|good night",
    "script": "stealth mode|bedtime|leaving home",
    "person": "Anna|Tom|Maria|Ben|Sam",
    "todo": "chores|work|holiday",
    "weather": "Berlin|Paris|Boston|home",
    "humidity": "living room humidity|bedroom humidity|humidity sensor|bathroom hygrometer|outside sensor|garden sensor",
    "illuminance": "living room illuminance|hallway light sensor|brightness sensor|outside sensor",
    "temperature": "living room|bedroom|radiator|heating|kitchen thermometer|outside sensor|freezer|phone",
    "sensor": "phone|outside sensor|washing machine|solar panel|water meter|garden sensor|freezer|rain sensor|boiler",
    "binary_sensor": "phone|washing machine|garage sensor|hallway sensor|car|garden gate|cat flap|bathroom window|oven",
}
ANY_DEVICE = ("light", "fan", "switch", "vacuum", "climate", "maker")
TOOLS = {"light": "lamp", "fan": "fan", "switch": "plug", "vacuum": "vacuum", "climate": "heater", "maker": "coffee machine", "media_player": "speaker"}
ROOMS = "kitchen|bedroom|living room|bathroom|office|hallway|garage|dining room|basement|kids room|attic|study".split("|")
FLOORS = "first floor|second floor|ground floor|top floor|upstairs|downstairs".split("|")
WILD = {
    "shopping_list_item": "milk|bread|eggs|coffee beans|light bulbs", "todo_list_item": "clean the kitchen|call mum|buy a lamp|water the plants",
    "zone": "work|school|home|office", "timer_name": "pasta|eggs|laundry|tea|bread", "timer_command": "turn off the lamp|start the vacuum|open the blinds|turn on the heater|lock the door",
    "message": "dinner is ready|it is late|the fan is on", "search_query": "Pink Floyd|some jazz|The Wire|Abbey Road|rock music",
}
WORDS = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen".split()
TENS = "- - twenty thirty forty fifty sixty seventy eighty ninety".split()
BLINDS = re.compile(r"\b(curtain|blind|shade|shutter)s?\b", re.I)
OUTSIDE = re.compile(r"\b(outside|outdoor|rain|garden|freezer|boiler|phone|machine|panel|meter)\b", re.I)
MEASURED = {"humidity": "humidity", "illuminance": "light sensor", "temperature": "temperature"}  # device class: tool
STUTTER = re.compile(r"\b(the|my|our) (?:the|my|our)\b|\b(?:%s) (?:the|my|our)\b|\bfloor (?=floor\b)|stairs floor" % "|".join(ROOMS))
FOREIGN = re.compile(r"\b(windows?|gates?|garage doors?|shutters?)\b", re.I)


def spoken(n):
    """An integer up to 100 in words."""
    return "one hundred" if n == 100 else WORDS[n] if n < 20 else TENS[n // 10] + (" " + WORDS[n % 10] if n % 10 else "")


def door(text):
    """About a door: the lock's. Windows, gates and garages have none here."""
    return re.search(r"\bdoors?\b", text, re.I) and not FOREIGN.search(text)


def seconds(slots):
    return slots.get("hours", 0) * 3600 + slots.get("minutes", 0) * 60 + slots.get("seconds", 0)


def timer(intent, slots):
    if "conversation_command" in slots:
        return "decline schedule"
    if intent in ("HassPauseTimer", "HassUnpauseTimer"):
        return "decline pause"
    if intent in ("HassCancelTimer", "HassCancelAllTimers"):
        return "off timer"
    if intent == "HassTimerStatus":
        return "get timer"
    verb = {"HassStartTimer": "set", "HassIncreaseTimer": "up", "HassDecreaseTimer": "down"}[intent]
    return f"{verb} timer {seconds(slots)}"


def state(domain, slots, text):
    """HassGetState"""
    kind = slots.get("device_class")
    if domain == "lock" or domain == "binary_sensor" and kind == "lock":
        return "decline door" if FOREIGN.search(text) else "get lock" if re.search(r"\b(doors?|locks?)\b", text, re.I) else "decline sensor"
    if domain == "cover":
        return "get blind" if BLINDS.search(text) else "get lock" if door(text) else "decline door"
    if domain == "person":
        return "decline person"
    if domain == "binary_sensor":
        if door(text) and re.search(r"\b(open|closed|shut)\b", text):
            return "get lock"
        if kind == "light":
            return "decline sensor" if "light" not in text else "get light sensor" if text.startswith("is light") else "drop asks for several light sensors"
        return "decline sensor"
    if domain == "sensor":
        return "get " + MEASURED[kind] if kind in MEASURED and not OUTSIDE.search(text) else "decline sensor"
    if OUTSIDE.search(text):
        return "decline sensor"
    return "get " + TOOLS[domain]


def label(intent, domain, slots, text):
    """The label (labels.py) of a sentence with these slots. domain: what the name or the template is about."""
    if "Timer" in intent:
        return timer(intent, slots)
    if intent == "HassGetState":
        return state(domain, slots, text)
    if intent == "HassLightSet":
        if "color" in slots:
            return "decline colour"
        lowest = re.search(r"\b(min|minimum|lowest)\b", text)
        return f"set lamp {0 if lowest else slots['brightness']}"
    if intent == "HassClimateSetTemperature":
        return f"set heater {slots['temperature']}"
    if intent == "HassClimateGetTemperature":
        return "get temperature"
    if intent == "HassSetVolume":
        return "decline tv" if re.search(r"\b(tv|television)\b", text, re.I) else f"set speaker {slots['volume_level']}"
    if intent == "HassSetPosition":
        return f"set blind {slots['position']}" if BLINDS.search(text) else "decline door"
    if intent.startswith("HassVacuum"):
        return "decline device" if "rover" in text else "on vacuum" if intent == "HassVacuumStart" else "off vacuum"
    if intent in ("HassTurnOn", "HassTurnOff"):
        verb = "on" if intent == "HassTurnOn" else "off"
        if domain in ("scene", "script"):
            return "decline scene"
        if domain == "valve":
            return "decline device"
        if domain == "lock":
            return "decline door" if FOREIGN.search(text) else f"{verb} lock"
        if domain == "cover":
            if door(text):
                return "off lock" if verb == "on" else "on lock"
            return f"{verb} blind" if BLINDS.search(text) else "decline door"
        if domain == "media_player" and re.search(r"\b(tv|television)\b", text, re.I):
            return "decline tv"
        return f"{verb} {TOOLS[domain]}"
    if intent == "HassNevermind":
        return "none"
    if intent == "HassRespond":
        for word, answer in (("h[ei]", "greeting"), ("data|listening|recording", "privacy"), ("made|created", "maker"), ("what can", "help")):
            if re.search(word, text, re.I):
                return "say " + answer
    for word, topic in (("List", "shopping_list"), ("Media", "media"), ("Weather", "weather"), ("Time", "time"), ("Date", "date"), ("Broadcast", "text")):
        if word in intent:
            return "decline " + topic
    raise ValueError(f"no rule for {intent}: {text!r}")


def load_yaml(path):
    """The documents of a file. YAML is asked for when it is needed: the smoke run of the training does without."""
    try:
        import yaml
    except ImportError:
        raise SystemExit("The sentences of Home Assistant are YAML: install python3-yaml")
    return list(yaml.safe_load_all(path.read_text(encoding="utf-8")))


def documents(folder):
    """(intent, domain by the file's name or None, document) of each YAML file, in order of its path."""
    for path in sorted(folder.rglob("*.yaml")):
        if path.name.startswith("_"):
            continue
        domain, intent = path.stem.split("_Hass") if path.parent == folder else (None, path.parent.name[len("Hass"):])
        for doc in load_yaml(path):
            yield "Hass" + intent, None if domain == "homeassistant" else domain, doc


def domain_of_test(block, doc):
    """What a test is about: its slot `domain`, or the domain of the entity that it names."""
    slots = block.get("slots") or {}
    if slots.get("domain"):
        return slots["domain"]
    for entity in doc.get("entities", ()):
        if entity["name"] == slots.get("name"):
            return entity["domain"]
    name = str(slots.get("name", "")).lower()
    return "fan" if "fan" in name else "light" if "lamp" in name or "corner" in name else None


def tests(folder):
    """(intent, text, label) of each test sentence."""
    for intent, domain, doc in documents(folder):
        for test in doc["tests"]:
            block = test.get("intent", test)
            slots = block.get("slots") or {}
            name = block.get("name") if "intent" in test else intent
            about = domain or domain_of_test(block, doc)
            for text in test["sentences"]:
                if text.lower() == "overhead light":
                    yield name, text, "drop a bare name: on or off?"
                else:
                    yield name, text, label(name, about or "light", slots, text)


def lists(common, rng, domain):
    """The function that draws a list's value, for sentences about a domain ([0] is replaced by the caller)."""
    values = {}
    for name, spec in common["lists"].items():
        values[name] = [v if isinstance(v, dict) else {"in": v, "out": v} for v in spec.get("values", ())]

    def pick(name, slot, slots):
        if name == "name":
            d = rng.choice(domain[0])
            slots["domain of name"] = "sensor" if d in MEASURED else d
            text = rng.choice(NAMES[d].split("|"))
            return text, text
        if name in ("area", "floor"):
            text = rng.choice(ROOMS if name == "area" else FLOORS)
            return text, text
        if name in WILD:
            text = rng.choice(WILD[name].split("|"))
            return text, text
        if values.get(name):
            v = rng.choice(values[name])
            return v["in"], v["out"]
        spec = common["lists"][name]["range"]
        low, high = spec["from"], spec["to"]
        if name == "temperature":
            value = rng.choice([rng.randint(15, 30), rng.randint(5, 30), rng.randint(60, 80), rng.randint(15, 29) + 0.5])
        elif name.startswith("timer"):
            value = rng.choice([1, 2, 3, 5, 10, 15, 20, 30, 45, rng.randint(low, 59)])
        else:
            value = rng.choice([rng.randint(low, high), 10 * rng.randint(low // 10, high // 10)])
        return (spoken(value) if isinstance(value, int) and rng.random() < 0.35 else str(value)), value

    return pick


def blocks(folder):
    """(intent, domains that {name} may have, block) of each group of templates."""
    for intent, domain, doc in documents(folder):
        data = [b for i in doc["intents"].values() for b in i["data"]] if "intents" in doc else doc["data"]
        for block in data:
            context = (block.get("requires_context") or {}).get("domain") or (block.get("slots") or {}).get("domain") or block.get("inferred_domain") or domain
            kind = (block.get("requires_context") or {}).get("device_class")
            names = block.get("name_domains") or ([kind] if kind in MEASURED else [context] if context in NAMES else ANY_DEVICE)
            yield intent, [n for n in names if n in NAMES], block


def drawn(folder, rng):
    """(intent, text, label), drawn from the templates."""
    common = load_yaml(folder / "_common.yaml")[0]
    domain = [None]
    grammar = templates.Grammar(common["expansion_rules"], lists(common, rng, domain), rng)
    grammar.rules.setdefault("percent", "([ ]%)| percent")
    for intent, names, block in blocks(folder):
        domain[0] = names
        fixed = dict(block.get("slots") or {})
        kind = (block.get("requires_context") or {}).get("device_class")
        for template in block["sentences"]:
            if template == "[<the>] {name}":
                continue  # a bare name: on or off?
            texts = set()
            for i in range(DRAWS):
                text, slots = grammar.draw(template, block.get("expansion_rules") or {})
                slots = {**({"device_class": kind} if kind else {}), **fixed, **slots}
                about = slots.get("domain of name") or slots.get("domain") or (names[0] if len(names) == 1 else "light")
                if STUTTER.search(text) or re.match(r"(increase|decrease|turn up|turn down)\b", text) and " to " not in text:
                    continue  # Home Assistant reads "increase lamp 50" as "to 50", we as "by 50"
                if intent == "HassSetVolume" and not re.search(r"\b(volume|speakers?|tv|television)\b", text, re.I):
                    continue  # "turn the kitchen up to 30": of what?
                what = label(intent, about, slots, text)
                if not what.startswith("decline") or i < DRAWS_DECLINED or i % 6 == 0:
                    texts.add((text, what))
            for text, what in sorted(texts):
                yield intent, text, what


def examples(data, out):
    """Adds test and training to a Collector (datasets.py)."""
    folder = data / "home_assistant_en"
    for intent, text, what in tests(folder / "tests"):
        out.add("home_assistant", f"home_assistant/{intent}", text, what)
    rng, alike = random.Random(SEED), {}
    for intent, text, what in drawn(folder / "sentences", rng):
        alike.setdefault((intent, " ".join(what.split()[:2])), {})[text] = what
    for (intent, _), texts in alike.items():
        for text in sorted(rng.sample(sorted(texts), min(MOST, len(texts)))):
            out.add("train", f"home_assistant/{intent}", text, texts[text])
