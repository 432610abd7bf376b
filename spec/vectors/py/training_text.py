"""A few words of our own, from which the small tokenizers of the vectors learn their merges."""

CORPUS = """
The river runs past the mill and the old stone bridge. In the morning the miller opens the gate, and the wheel
begins to turn. A heron stands in the shallow water; it waits, it does not move, and then it has a fish.
"How many sacks today?" asks the miller's daughter. "Thirty-two," he says, "or 33 when the wind holds."
At noon they eat bread and cheese under the willow. The water is cold, the sun is warm, and nobody is in a hurry.
There is a cat in the mill. The cat sleeps on the flour, the mice sleep under the floor. Nothing else happens there
until the evening, when the wheel stops and the river goes on without it.
"""
