"""Tables of tools to train with: home.json, parts of it, and invented ones with names that no board has."""
import json
import pathlib

import words

HOME = json.loads((pathlib.Path(__file__).parent / "../../assistant/tools/home.json").read_text(encoding="utf-8"))

# What things of a kind are called; the first ones are understood of any tool of that kind, whatever its aliases are.
NOUNS = {
    "light": (["lamp", "light"], ["led", "bulb", "led strip", "lantern", "spotlight", "chandelier", "night light", "floodlight", "reading light", "string lights", "ring light", "beacon"]),
    "fan": (["fan"], ["ventilator", "blower", "extractor", "exhaust fan", "air circulator", "cooling fan", "vent fan"]),
    "heater": (["heater", "heating"], ["radiator", "thermostat", "boiler", "furnace", "oven", "heat mat", "hot plate", "kiln", "incubator", "floor heating", "heating pad"]),
    "cooler": (["ac", "air conditioner", "air conditioning"], ["cooler", "aircon", "air con", "a c", "fridge", "freezer", "chiller", "cooling", "peltier", "wine cooler", "climate unit"]),
    "switch": (["plug", "socket", "outlet"], ["switch", "pump", "relay", "valve", "charger", "power strip", "sprinkler", "fountain", "magnet", "solenoid", "mixer", "conveyor", "motor", "water pump", "air pump",
               "printer", "monitor", "bubbler", "mister", "fogger", "irrigation", "vibration plate"]),
    "cover": (["blind", "curtain", "shutter"], ["shade", "roller blind", "awning", "skylight", "vent flap", "hatch", "window", "gate", "louver", "damper", "garage door", "drapes"]),
    "lock": (["lock", "door lock"], ["front door", "back door", "door", "safe", "cabinet", "latch", "bolt", "locker", "gate lock", "deadbolt"]),
    "volume": (["volume", "speaker", "sound"], ["speakers", "audio", "radio", "amplifier", "soundbar", "headphones", "intercom", "megaphone"]),
    "timer": (["timer"], ["countdown", "egg timer", "kitchen timer", "stopwatch", "time switch"]),
    "temperature": (["temperature"], ["thermometer", "temp", "temperature sensor", "room temperature", "water temperature", "outside temperature", "soil temperature"]),
    "humidity": (["humidity"], ["hygrometer", "humidity sensor", "air humidity", "moisture", "damp sensor"]),
    "luminance": (["light sensor", "brightness sensor"], ["light level", "ambient light", "lux meter", "daylight sensor", "sun sensor", "photocell", "light meter"]),
    "sensor": (["sensor"], ["soil moisture", "water level", "battery", "pressure", "co2", "air quality", "gas sensor", "rain sensor", "wind speed", "motion sensor", "distance", "weight", "tank level", "ph", "uv index",
               "power meter", "voltage", "current meter", "noise level"]),
    "robot": (["vacuum", "robot vacuum", "vacuum cleaner"], ["robot", "roomba", "mower", "lawn mower", "hoover", "sweeper", "mop", "pool cleaner", "window cleaner", "cleaning robot", "robot arm"]),
    "maker": (["coffee machine", "coffee maker"], ["coffee", "kettle", "espresso machine", "toaster", "rice cooker", "bread maker", "popcorn machine", "tea maker", "ice maker", "juicer", "slow cooker", "waffle iron"]),
    "alarm": (["alarm"], ["siren", "buzzer", "alarm system", "burglar alarm", "bell", "security system", "horn", "klaxon", "fire alarm"]),
}
PLACES = """desk kitchen garage hall bathroom bedroom office garden porch attic cellar workshop growbox aquarium terrarium greenhouse balcony shed stairs
closet corridor lab bench tent chicken coop boat camper van pond tank north south left right upper lower front back big little old new red green main spare""".split()
SYLLABLES = "zor bli kra mu tep fan lox vi qua dro nim pex sta gru wol fi jab lun ker om ta ri zu bex cor dal".split()
NUMBERS = "one two three four five six seven eight nine".split()
DIGITAL = {"switch": True, "lock": True, "robot": True, "maker": True, "alarm": True}


def nonsense(rng):
    return "".join(rng.choice(SYLLABLES) for _ in range(rng.choice([2, 2, 3])))


def names(kind, rng, taken):
    """A tool's name and aliases, none of them taken."""
    common, more = NOUNS[kind]
    base = rng.choice(common + more)
    r = rng.random()
    if r < 0.40:
        name = base
    elif r < 0.70:
        name = f"{rng.choice(PLACES)} {base}"
    elif r < 0.78 and kind in ("switch", "light", "fan", "sensor", "cover", "lock"):
        name = f"{base} {rng.choice(NUMBERS)}"
    elif r < 0.90:
        name = nonsense(rng)
    else:
        name = f"{nonsense(rng)} {base}"
    aliases = [name] + [a for a in rng.sample(common + more, min(len(common + more), rng.choice([0, 1, 1, 2, 3]))) if a != name]
    out = []
    for a in aliases:
        forms = {a, a + "s"}
        if not forms & taken:
            out.append(a)
            taken |= forms
    return out


def tool(kind, rng, taken, index):
    aliases = names(kind, rng, taken)
    if not aliases:
        return None
    t = {"name": aliases[0], "kind": kind, "aliases": aliases}
    if kind in ("light", "fan", "cover", "volume"):
        a = {"unit": "percent", "min": 0, "max": 100, "step": rng.choice([10, 20, 25]), "on": 100}
        if rng.random() < 0.06:
            a = {"min": 0, "max": rng.choice([10, 255]), "step": 1, "on": 10}
        if rng.random() < 0.2:
            a["values"] = rng.choice([{"low": 25, "medium": 50, "high": 100}, {"dim": 20, "bright": 100}, {"quiet mode": 10, "boost": 100}, {"eco": 30, "turbo": 100}, {"night": 5, "day": 100}])
            if "unit" not in a:
                del a["values"]
        t.update(argument=a, drive={"type": "pwm", "pin": index, "hz": 1000, "duty": [0, 65535]})
    elif kind in ("heater", "cooler"):
        a = {"unit": "celsius", "min": rng.choice([5, 10]), "max": rng.choice([28, 30, 35]), "step": 1, "on": 21}
        if rng.random() < 0.2:
            a["values"] = rng.choice([{"eco": 17, "comfort": 22}, {"frost guard": 10}, {"cozy": 23, "away": 12}])
        t.update(argument=a, drive={"type": "pwm", "pin": index, "hz": 1000, "duty": [0, 65535]})
    elif kind == "timer":
        t.update(argument={"unit": "seconds", "min": 1, "max": 86400, "step": 60}, drive={"type": "timer", "pin": index})
    elif kind in ("temperature", "humidity", "luminance", "sensor"):
        unit, low, high = ("celsius", -40, 125) if kind == "temperature" else ("percent", 0, 100)
        t.update(argument={"unit": unit, "min": low, "max": high}, drive={"type": "adc", "channel": index % 3, "raw": [0, 65535]})
    else:
        t.update(drive={"type": "gpio", "pin": index})
    return t


def invented(rng, serial):
    """1 to 13 tools of any kinds; of one or two kinds perhaps two tools."""
    n = rng.choice([1, 2, 3, 3, 4, 4, 5, 6, 7, 8, 10, 12, 13])
    kinds = rng.sample(words.KINDS, n)
    for kind in list(kinds):
        if len(kinds) < 13 and kind != "timer" and rng.random() < 0.12:
            kinds.append(kind)
    rng.shuffle(kinds)
    taken, tools = set(), []
    for kind in kinds:
        t = tool(kind, rng, taken, len(tools))
        if t:
            tools.append(t)
    return {"name": f"invented-{serial}", "tools": tools}


def part(rng, serial):
    """Home without some of its tools."""
    n = rng.choice([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12])
    keep = set(rng.sample(range(len(HOME["tools"])), n))
    return {"name": f"home-{serial}", "tools": [t for i, t in enumerate(HOME["tools"]) if i in keep]}
