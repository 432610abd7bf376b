"""What a sentence of a dataset means to the board: labels of whole intents and of single sentences (labels.json, by reading), and the few
rules for intents whose sentences differ in a number only.

A label is a string, see "about" in labels.json; `expectation` makes an example's `expect` and `reply` of it.
"""
import json
import pathlib
import re
import zlib

import words

HERE = pathlib.Path(__file__).parent
LABELS = json.loads((HERE / "labels.json").read_text(encoding="utf-8"))
REPLIES = json.loads((HERE / "replies.json").read_text(encoding="utf-8"))
HOME = json.loads((HERE / "../../assistant/tools/home.json").read_text(encoding="utf-8"))
TABLE = words.Table(HOME)
CALL = re.compile(r"(on|off|set|up|down|get) ([a-z][a-z ]*?)(?: (\d+(?:\.\d+)?))?(?: for (\d+))?")


def plain(text):
    """A text as it is compared: its words, without case and punctuation."""
    return " ".join(words.split_words(text))


def number(s):
    return float(s) if "." in s else int(s)


def expectation(label, text=""):
    """-> (expect, reply or None). A label that is none raises ValueError."""
    say, _, topic = label.partition(" ")
    if label == "none":
        return {"say": "none"}, None
    if say in ("decline", "say", "ask"):
        reply = REPLIES[say][topic]
        return {"say": say}, reply if isinstance(reply, str) else reply[zlib.crc32(text.encode()) % len(reply)]
    calls = []
    for part in label.split(" + "):
        m = CALL.fullmatch(part)
        if not m or m.group(2) not in TABLE.by_name and m.group(2) != "all":
            raise ValueError(f"no label: {label!r}")
        call = {"verb": m.group(1), "tool": m.group(2)}
        if m.group(3):
            call["value"] = number(m.group(3))
        if m.group(4):
            call["seconds"] = int(m.group(4))
        calls.append(call)
    return {"say": "call", "calls": calls}, None


def hand(dataset):
    """{plain text: (label, was it labelled against the dataset)}"""
    out = {}
    for part, against in ((dataset, False), (dataset + " against", True)):
        for label, texts in LABELS["hand"].get(part, {}).items():
            for text in texts:
                if out.setdefault(plain(text), (label, against))[0] != label:
                    raise ValueError(f"labels.json: two labels for {text!r}")
    return out


def intents(dataset):
    """{intent: label or "rule"}"""
    return {intent: label for label, names in LABELS["intents"][dataset].items() for intent in names}


def duration(text):
    """Seconds of the first duration in a text, or None."""
    slots = words.read(text, TABLE).slots
    return slots["t1"] // 1000 if "t1" in slots else None


def change_volume(text):
    if re.search(r"\b4\b", text):
        return "set speaker 4"
    lower = re.search(r"\b(lower|decrease[ds]?|down|quiet|quieter|softer|less|limit|lowered|not so loud)\b", text)
    return "down speaker" if lower else "up speaker"


def timer(text):
    seconds = duration(text)
    return f"set timer {seconds}" if seconds else "ask time"


def alarm(text, intent="alarm"):
    """An alarm after a time is a timer; one at a time of the day needs a clock."""
    seconds = duration(text)
    return f"set timer {seconds}" if seconds and not re.search(r"\b(before|later|event|pm|am|earlier|every|snooze)\b|\dpm", text) else f"decline {intent}"


def smart_home(text):
    """What labels.json does not name is about a device that home.json lacks."""
    device = re.search(r"\b(tv|ac|oven|car|vehicle)\b", text)
    return f"decline {device[0].replace('vehicle', 'car') if device else 'device'}"


def no(text):
    """A bare no answers nothing that was asked; a complaint is heard."""
    wrong = re.search(r"\b(wrong|incorrect|(isnt|isn't|not|wasn't) (right|correct|it)|(isnt|isn't|not) what|mistake)\b", text)
    return "say wrong" if wrong and "not right now" not in text else "none"


def affirm(text):
    """A bare yes answers nothing that was asked; praise of what was done is heard."""
    praise = re.search(r"\b(response|command|understanding|understood|instructions?|did|done|got|get|great|fantastic|perfect|perfectly|excellent|cool|good|nice|amazing|well)\b", text)
    return "say praise" if praise else "none"


RULES = {"no": no, "general_affirm": affirm, "smart_home": smart_home, "change_volume": change_volume, "timer": timer, "alarm": alarm, "alarm_set": lambda text: alarm(text, "alarm_set")}


class Labeller:
    """Labels of one dataset: by hand, else by its intent."""

    def __init__(self, dataset):
        self.hand, self.intents = hand(dataset), intents(dataset)
        self.used = set()

    def __call__(self, text, intent):
        """-> (label, was it labelled against the dataset)"""
        key = plain(text)
        if key in self.hand:
            self.used.add(key)
            return self.hand[key]
        label = self.intents.get(intent, "decline " + intent)
        return (RULES[intent](text.lower()) if label == "rule" else label), False

    def unused(self):
        return sorted(set(self.hand) - self.used)
