from __future__ import annotations
import time
from tests.walls.addresses import addresses, METHODS, payload, TURNING
from tests.walls.actors import ACTORS, sign_in, session_of
import pytest, json, os

@pytest.mark.parametrize("actor", ACTORS)
def test_rec(world, actor):
    t=time.time()
    room = world.rooms["X"]
    browser = world.browser(actor); key = session_of(browser)
    out = {}
    for a in sorted(addresses(), key=lambda a: a.name in TURNING):
        cells=[]
        for m in METHODS:
            path=a.at(room)
            if m=="POST":
                r=browser.post(path, payload(a.name, world, actor, room))
            else:
                r=browser.generic(m, path)
            cells.append(r.status_code)
            if session_of(browser)!=key:
                browser=world.browser(actor); key=session_of(browser)
        out[a.route]=(a.name,cells)
    with open(f"/tmp/rec_{actor}.json","w") as f: json.dump(out,f)
    print(actor, time.time()-t)
