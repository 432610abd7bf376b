"""home-llm's piles (MIT) as training: phrases for one device, templates for one to three devices, questions for a device's state.

What no verb says (toggle, stop half way) is left out. Names are drawn; a template of one kind is drawn with several.
"""
import csv
import random
import re

SEED, DRAWS = 7, 8
NAMES = {
    "light": "kitchen light|desk lamp|lamp|bedroom lights|porch light|hallway light|reading lamp|lights",
    "fan": "fan|ceiling fan|office fan|bedroom fan|desk fan",
    "blinds": "blinds|bedroom blinds|curtains|kitchen curtains|shades|living room shutters",
    "lock": "front door|back door|door|basement door",
    "switch": "the plug|the socket|the smart plug|the kitchen outlet|the coffee machine|the heater|the desk plug",
    "vacuum": "the vacuum|the robot|roomba|the robot vacuum|the hoover|the vacuum cleaner",
    "media_player": "the speaker|the speakers|the kitchen speaker|the living room speakers",
    "timer": "timer|kitchen timer|egg timer|tea timer",
    "garage_door": "garage door|left garage door",
    "todo": "shopping list|list|chores list",
}
TODO = "buy milk|call the plumber|feed the cat|take out the trash"
DURATIONS = {"5 minutes": 300, "ten minutes": 600, "30 seconds": 30, "an hour": 3600, "half an hour": 1800, "2 hours": 7200, "90 seconds": 90, "twenty five minutes": 1500}
MODES = {"low": 25, "medium": 50, "high": 100}
TOOLS = {"light": "lamp", "fan": "fan", "blinds": "blind", "lock": "lock", "vacuum": "vacuum"}
VERBS = {
    "turn_on": "on", "turn_off": "off", "open_cover": "on", "close_cover": "off", "increase_speed": "up", "decrease_speed": "down", "lock": "on", "unlock": "off",
    "start": "on", "stop": "off", "pause": "off", "return_to_base": "off", "volume_up": "up", "volume_down": "down", "volume_mute": "off", "cancel": "off",
}
SWITCHED = (("heater", "heater|thermostat"), ("fan", "fans?"), ("coffee machine", "coffee (?:machine|maker)"), ("plug", "plugs?|sockets?|outlets?"),
            ("lamp", r"\w*lights?|lighting|lamps?|chandelier|sconces|lanterns|illuminate"))
OTHER_ENTRY = re.compile(r"\b(windows?|gates?|garage door)\b", re.I)


def switched(text):
    """The tool that a switch's name is about, or None."""
    return next((tool for tool, words in SWITCHED if re.search(rf"\b(?:{words})\b", text, re.I)), None)


def label(kind, service, text):
    """The label of a phrase about one device, or None: no verb says it."""
    if kind == "todo":
        return "decline shopping_list"
    if kind == "garage_door":
        return "decline door"
    if service in ("media_play", "media_pause", "media_stop", "media_next_track", "media_previous_track"):
        return "decline media"
    verb = VERBS.get(service)
    if verb is None:
        return None
    if kind == "media_player":
        if verb in ("up", "down") or service == "volume_mute" or re.search(r"speakers?\b|sound|audio", text, re.I):
            return f"{verb} speaker"
        return "decline tv" if "TV" in text else "decline media"
    if kind in ("light", "switch"):
        tool = "lamp" if kind == "light" else switched(text)
        if tool == "lamp" and re.search(r"\bdim\b|turn down", text, re.I):
            verb = "down"
        elif tool == "lamp" and re.search(r"\bbrighten\b", text, re.I):
            verb = "up"
        return f"{verb} {tool}" if tool and not re.search(r"\b(blinds|security)\b", text) else None
    if kind == "lock" and OTHER_ENTRY.search(text):
        return "decline door"
    return f"{verb} {TOOLS[kind]}" if kind in TOOLS else None


def rows(folder, name):
    with open(folder / name, encoding="utf-8", newline="") as f:
        return list(csv.DictReader(f))


def put(template, rng, names):
    """A template with its device names (and `the` not twice)."""
    for slot, name in names.items():
        if re.search(rf"\b(the|my) {re.escape(slot)}", template, re.I):
            name = re.sub("^the ", "", name)
        template = template.replace(slot, name)
    return template.replace("timer timer", "timer").replace("<todo>", rng.choice(TODO.split("|"))).strip('"')


def actions(folder, rng):
    """(text, label) of templates of one to three devices."""
    for row in rows(folder, "pile_of_templated_actions.csv"):
        kinds, services = row["device_type"].split("|"), row["service"].split("|")
        for _ in range(DRAWS):
            slots = ["<device_name>"] if len(kinds) == 1 else [f"<device_name{i + 1}>" for i in range(len(kinds))]
            names = [rng.choice(NAMES[k].split("|")) if k in NAMES else "" for k in kinds]
            if len(set(kinds)) < len(kinds):
                continue  # two lamps: home has one
            text = put(row["phrase"], rng, dict(zip(slots, names)))
            if kinds[0] == "climate":
                yield from climate(services[0], text, rng)
            elif kinds[0] == "timer":
                said = rng.choice(list(DURATIONS))
                yield text.replace("<duration>", said), f"set timer {DURATIONS[said]}" if services[0] == "start" else "off timer"
            elif "<" not in text:
                parts = [label(k, s, n if len(kinds) > 1 else text) for k, s, n in zip(kinds, services, names)]
                if all(parts) and not (len(parts) > 1 and any(p.startswith("decline") for p in parts)):
                    yield text, " + ".join(parts)


def climate(service, text, rng):
    if service == "set_humidity":
        yield text.replace("<humidity>", str(rng.randint(30, 60))), "decline device"
    elif service == "set_hvac_mode" or "air conditioning" in text:
        yield text.replace("<hvac_mode>", rng.choice(["cool", "heat", "auto"])).replace("<fan_mode>", rng.choice(list(MODES))), "decline ac"
    elif service == "set_fan_mode":
        mode = rng.choice(list(MODES))
        yield text.replace("<fan_mode>", mode), f"set fan {MODES[mode]}"
    elif "Fahrenheit" in text:
        f = rng.randint(60, 80)
        yield text.replace("<temp_f>", str(f)), f"set heater {round((f - 32) * 5 / 9, 3)}"
    else:
        c = rng.randint(15, 28)
        yield text.replace("<temp_f>", str(c)).replace("<temp_c>", str(c)), f"set heater {c}"


def questions(folder, rng):
    """(text, label) of questions for a state."""
    for row in rows(folder, "pile_of_status_requests.csv"):
        kind, text = row["device_type"], row["phrase"]
        for _ in range(2):
            said = put(text, rng, {"<device_name>": rng.choice(NAMES[kind].split("|"))}) if kind in NAMES else "<"
            if "<" in said or re.search(r"\b(hue|color)\b", said) and kind != "light":
                continue
            if kind in TOOLS:
                yield said, "decline colour" if re.search(r"\b(hue|color)\b", said) else "get " + TOOLS[kind]
            elif kind == "media_player":
                media = re.search(r"play|track|movie|song|pause|listen|idle|standby|show|hear|episode|what.s on|down with", said)
                yield said, "decline media" if media else "get speaker"
            elif kind in ("timer", "garage_door", "todo"):
                yield said, {"timer": "get timer", "garage_door": "decline door", "todo": "decline shopping_list"}[kind]


def examples(data, out):
    """Adds training to a Collector (datasets.py)."""
    folder, rng = data / "home_llm", random.Random(SEED)
    said = [(row["phrase"], label(*row["service_name"].split("."), row["phrase"])) for row in rows(folder, "pile_of_specific_actions.csv")]
    for text, what in [*said, *actions(folder, rng), *questions(folder, rng)]:
        if what:
            out.add("train", "home_llm/" + what.split()[0], text, what)
