"""How a golden file is written: JSON, one case a line, so that a difference is readable."""

import base64
import json

SAFE = (1 << 53) - 1


def b64(data):
    return base64.b64encode(bytes(data)).decode()


def int8s(matrix):
    return b64(v & 255 for row in matrix for v in row)


def line(value):
    return json.dumps(value, separators=(",", ":"), ensure_ascii=True)


def check_integers(value):
    """Every number survives a reader whose numbers are doubles."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        for item in value:
            check_integers(item)
    assert not isinstance(value, float), value
    assert not isinstance(value, int) or abs(value) <= SAFE, value


def document(covers, about, **parts):
    """covers: page and section; about: what the fields mean. Lists of parts are written a case a line."""
    fields = [
        f'"head":{line({"covers": covers, "about": " ".join(about.split()), "written_by": "spec/vectors/generate.py"})}'
    ]
    for name, part in parts.items():
        check_integers(part)
        if isinstance(part, list) and part and isinstance(part[0], (dict, list)):
            body = ",\n  ".join(line(item) for item in part)
            fields.append(f'"{name}":[\n  {body}\n ]')
        else:
            fields.append(f'"{name}":{line(part)}')
    text = "{\n " + ",\n ".join(fields) + "\n}\n"
    json.loads(text)
    return text.encode()
