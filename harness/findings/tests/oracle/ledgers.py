"""Planted ledgers with the figures of the oracle, one JSON object per line: name, plan, ledger, findings.

    ledgers.py REFERENCE SEED COUNT     every planted case over COUNT seeds, each as planted and once shaken
    ledgers.py REFERENCE fixtures       small ones, for the fixtures

REFERENCE is the folder of `oracle.py` and `planted.py`. Shaking changes the plan and the ledger at random where the planted cases
are tidy (roles, probes, paths, gates, contact, outcomes, observations), so that rules meet that the toy platform never mixes."""
import json, random, sys

sys.dont_write_bytecode = True
sys.path.insert(0, sys.argv[1])
import oracle, planted

S = 1_000_000


def shake(plan, ledger, seed):
    rng = random.Random(seed)
    def maybe(chance): return rng.random() < chance
    end, shards = plan["end"], sorted({a["shard"] for a in plan["assets"].values()})
    plan["theta"] = rng.choice((S, S // 2, 2 * S, S))
    if maybe(.5): plan["slo"] = rng.choice((S // 10, 3 * S))
    if maybe(.3): plan["affected"] = rng.choice((None, {"regions": ["west"]}, {"shards": shards[:2]}, {"regions": ["east"], "shards": shards[:1]}))
    for a in plan["assets"].values():
        if maybe(.1): a["path"] = False
        if maybe(.1): a["probe"] = True
        if maybe(.1): a["region"] = "north"
        if maybe(.1): a["contact"] = [[0, 65 * S], [rng.randint(66, 80) * S, end]]
    for s in plan["streams"].values():
        if len(plan["streams"]) > 1 and maybe(.3): s["gated"] = False
        if len(plan["streams"]) > 1 and maybe(.2): s["ack"] = rng.choice(("best_effort", "none"))
    if maybe(.15): plan["t_heal"] = None
    if maybe(.1): plan["t_effect"] = None
    for _ in range(rng.randint(0, 2)):
        plan["changes"].append(dict(t=rng.randint(1, end), kind=rng.choice(("fault", "heal", "phase")), same_episode=maybe(.4)))
    if maybe(.5): plan["phases"].append(dict(name="verify", start=plan["phases"][-1]["end"] - 20 * S, end=end, steady=True))
    if maybe(.1): plan["phases"][0]["steady"] = False
    plan["trials"] = [None if maybe(.05) else rng.randint(S, 9 * S) for _ in range(rng.randint(0, 9))]
    plan["gates"] = [dict(phase=rng.choice(plan["phases"])["name"], limit=rng.choice((12_000, 20_000, 31_000, S, 5 * S)),
                          q=rng.choice((.5, .9, .99, .999)), by=rng.choice((None, "shard", "region")),
                          **({"clock": 5 * S} if maybe(.3) else {})) for _ in range(rng.randint(0, 4))]
    for r in ledger:
        if maybe(.01): r.update(t_acked=None, outcome=rng.choice(("refused", "unknown", "dropped", None)))
        if maybe(.005): r["sent"] = []
        if r["t_acked"] and maybe(.01): r["t_acked"] += rng.randint(0, 4 * S)
        for seen in r["obs"].values():
            if maybe(.01): seen.append([rng.randint(r["t_gen"], end), rng.choice((None, seen[0][1], 10**6 + r["seq"]))])
            if maybe(.01): seen[0][0] = rng.randint(r["t_gen"], end)
        if r["obs"] and maybe(.01): r["obs"].pop(rng.choice(sorted(r["obs"])))
        if maybe(.02): r["ack_pos"] = None
    log = plan["observers"]["log"]
    log["role"] = rng.choice(("system_of_record", "replica"))
    if maybe(.2): log["last"] = None
    elif maybe(.3): log["last"] = {s: n - rng.randint(0, 400) for s, n in log["last"].items() if not maybe(.2)}
    if maybe(.2):
        plan["observers"]["copy"] = dict(role=rng.choice(("replica", "read_back")), last=None, end=None, poll=rng.choice((0, 9 * S)))
        for r in ledger:
            if "log" in r["obs"] and not maybe(.01): r["obs"]["copy"] = [[min(end, t + S // 2), None] for t, _ in r["obs"]["log"]]


def show(name, plan, ledger):
    plan, ledger = json.loads(json.dumps([plan, ledger]))
    found = oracle.findings(plan, ledger)
    probes = {a for a, asset in plan["assets"].items() if asset.get("probe")}
    if probes:
        # Probes judge `rto.service` and nothing else: every other figure is that of the run without them.
        assets = {a: asset for a, asset in plan["assets"].items() if a not in probes}
        without = oracle.findings(dict(plan, assets=assets), [r for r in ledger if r["asset"] not in probes])
        found = dict(without, **{k: v for k, v in found.items() if k == "rto_service"})
    for r in ledger: r.pop("stored", None)
    print(json.dumps(dict(name=name, plan=plan, ledger=ledger, findings=found), separators=(",", ":")), flush=True)


def by_hand():
    """The ledgers that `planted.py` works out on paper, as it hands them to the oracle."""
    caught = []
    class Catch:
        def __getattr__(self, name): return getattr(oracle, name)
        def findings(self, plan, ledger):
            caught.append((plan, ledger))
            return oracle.findings(plan, ledger)
    planted.by_hand(Catch())
    planted.by_hand_edges(Catch())
    return caught


def fixtures():
    for i, (plan, ledger) in enumerate(by_hand()): show(f"by_hand_{i}", plan, ledger)
    small = planted.base
    planted.base = lambda: dict(small(), assets=8, shards=2, streams={"status": 4})
    for case in ("lost", "duplicates", "los"):
        show(case, *planted.make(3, case)[:2])
    for seed, case in ((1, "relapse"), (2, "replay"), (4, "unseen")):
        plan, ledger, _ = planted.make(seed, case)
        shake(plan, ledger, seed)
        show(f"shaken_{case}", plan, ledger)


if sys.argv[2] == "fixtures":
    fixtures()
else:
    for plan, ledger in by_hand(): show("by_hand", plan, ledger)
    for seed in range(int(sys.argv[2]), int(sys.argv[2]) + int(sys.argv[3])):
        for case in planted.CASES:
            plan, ledger, _ = planted.make(seed, case)
            show(f"{case} {seed}", plan, ledger)
            shake(plan, ledger, seed)
            show(f"{case} {seed} shaken", plan, ledger)
