"""Programs that mapscope must not take for what they are not."""
ODD = {}


def check(place, make, package):
    return {}
