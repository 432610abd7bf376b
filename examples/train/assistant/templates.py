"""Draws sentences from templates of Home Assistant's intents: words, [what may be left out], (this|that), (any;order), {list:slot}, <rule>."""
import re

TOKEN = re.compile(r"[\[\]()|;]|\{[^}]*\}|<[^>]*>|[^\[\]()|;{}<>]+")


def parse(template):
    """-> tree of ("text", s), ("list", name, slot), ("rule", name), ("alt"|"perm"|"seq", [...]), ("opt", tree)."""
    tokens = TOKEN.findall(template)

    def group(i, end):
        branches, seq, kind = [], [], "alt"
        while i < len(tokens) and tokens[i] != end:
            t = tokens[i]
            i += 1
            if t == "(":
                node, i = group(i, ")")
                seq.append(node)
            elif t == "[":
                node, i = group(i, "]")
                seq.append(("opt", node))
            elif t in "|;":
                kind = "perm" if t == ";" else kind
                branches.append(("seq", seq))
                seq = []
            elif t[0] == "{":
                name, _, slot = t[1:-1].partition(":")
                seq.append(("list", name, slot or name))
            elif t[0] == "<":
                seq.append(("rule", t[1:-1]))
            else:
                seq.append(("text", t))
        if not branches:
            return ("seq", seq), i + 1
        return (kind, branches + [("seq", seq)]), i + 1

    return group(0, None)[0]


class Grammar:
    """rules: {name: template}. pick(name, slot, slots) draws a list's value: (text, value of the slot)."""

    def __init__(self, rules, pick, rng):
        self.rules, self.pick, self.rng, self.trees = rules, pick, rng, {}

    def draw(self, template, local=()):
        """-> (text, slots)"""
        slots = {}
        text = self.node(self.tree(template), slots, dict(local))
        return re.sub(r" (?=['’])", "", " ".join(text.split())), slots

    def tree(self, template):
        if template not in self.trees:
            self.trees[template] = parse(template)
        return self.trees[template]

    def node(self, node, slots, local):
        kind, rng = node[0], self.rng
        if kind == "text":
            return node[1]
        if kind == "seq":
            return "".join(self.node(n, slots, local) for n in node[1])
        if kind == "alt":
            return self.node(rng.choice(node[1]), slots, local)
        if kind == "perm":
            parts = list(node[1])
            rng.shuffle(parts)
            return " ".join(self.node(n, slots, local) for n in parts)
        if kind == "opt":
            return self.node(node[1], slots, local) if rng.random() < 0.5 else ""
        if kind == "rule":
            return self.node(self.tree(local.get(node[1]) or self.rules[node[1]]), slots, local)
        text, value = self.pick(node[1], node[2], slots)
        slots[node[2]] = value
        return self.node(self.tree(text), slots, local) if "[" in text or "(" in text else text
