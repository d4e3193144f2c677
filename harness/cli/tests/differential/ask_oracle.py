"""Asks the reference implementation of the measurement page: one drill per line in, its figures out.

    ask_oracle.py REFERENCE < drills > figures

REFERENCE is the folder of `oracle.py`. A drill is `{name, ledger, run, groups, episodes}`: one ledger, and the plans of the calls
that are made with it. The reference knows one service and one fault, so there is a call for the run as a whole, one for each set of
fleets that the same observers look for, and one for each episode."""
import collections, json, os, sys, traceback

sys.dont_write_bytecode = True
sys.path[:0] = [sys.argv[1], os.path.dirname(os.path.abspath(__file__))]
import oracle, expected_gates
NOBODY = {"stale_asset_us": 0, "contact_asset_us": 0, "excess_age_us2": 0, "availability": 0}


def of_run(plan, readings):
    """What does not depend on whose readings an observer shows, nor on a fault."""
    d = oracle.findings(plan, readings)
    return {k: d[k] for k in ("undecided", "baseline_fits", "ack_latency", "goodput", "outages", "asset_outages", "u", "windows", "asset_us_lost",
                              "stuck_assets", "worst_uptime", "longest_outage")}


def of_group(plan, readings):
    """What observers make of the readings that they look for."""
    keepers = [o for o, d in plan["observers"].items() if d["role"] in oracle.KEEPS_EVERYTHING]
    classed = {o: oracle.classes(plan, readings, o) for o in keepers}
    deciding = [o for o in keepers if plan["observers"][o]["role"] == "read_back"] or keepers
    live = [r for r in readings if oracle.live(r) and r["t_ready"] + plan["theta"] <= plan["end"]] if deciding else []
    says = lambda r: {classed[o][oracle.identity(r)] for o in deciding}
    visible, unseen = sum("observed" in says(r) for r in live), sum("unseen" in says(r) and "observed" not in says(r) for r in live)
    unwatched = 0 if deciding else sum(oracle.live(r) and r["t_ready"] + plan["theta"] <= plan["end"] for r in readings)
    return {"delivered": {"due": len(live), "visible": visible, "unseen": unseen, "unwatched": unwatched}, "classes": {o: dict(collections.Counter(c.values())) for o, c in classed.items()},
            "freshness": {o: oracle.freshness(plan, readings, o) if plan["assets"] else NOBODY for o in plan["observers"]},
            "time_travel": {o: oracle.time_travel(readings, o) for o in plan["observers"] if o not in keepers},
            "rpo": {**oracle.rpo(plan, readings, classed), "watched": bool(keepers), "acked": sum(r["outcome"] == "acked" for r in readings),
                    "acked_after": sum(r["outcome"] == "acked" and plan["t_effect"] is not None and r["t_acked"] >= plan["t_effect"] for r in readings)},
            "duplicates": {o: oracle.duplicates(readings, o) for o in keepers}, "order": {o: oracle.order(readings, o) for o in keepers}}


def of_episode(plan, readings):
    """What one fault did, or several that overlap."""
    series = oracle.judged(plan, readings)
    out, hit = oracle.asset_outages(plan, series), oracle.affected(plan, series)
    fleet = {a for a in plan["assets"] if not plan["assets"][a]["probe"]}
    judges = [a for a in hit if plan["assets"][a]["path"]]
    u, u_hit = oracle.share_out(plan, out, judges), oracle.share_out(plan, out, hit)
    phis = {**oracle.PHIS, **{str(bp): bp for bp in plan["phis"]}}
    until = oracle.episode(plan)[1]
    stranded = [oracle.in_contact(plan, a, s) for a in hit if a not in judges for s in out.get(a, []) if s[1] > plan["t_effect"] and s[0] < until]
    return {"affected": {"rule": "missed theta" if plan["affected"] is None else "declared", "assets": hit, "with_path": len(judges),
                         "longest_without_path": max(stranded, default=0)},
            "goodput": {"affected": oracle.goodput(plan, series, hit), "control": oracle.goodput(plan, series, fleet - set(hit))},
            "back_to_baseline": oracle.back_to_baseline(plan, readings, set(hit)),
            "rto": {phi: oracle.rto(plan, series, u, judges, bp) for phi, bp in phis.items()},
            "last_good": oracle.rto(plan, series, u_hit, hit, 0),
            "rto_service": {s: oracle.rto_service(plan, series, s) for s in sorted({a["shard"] for a in plan["assets"].values()})}}


def answer(drill):
    part = lambda plan: [r for r in drill["ledger"] if r["asset"] in plan["assets"]]
    run = of_run(drill["run"], part(drill["run"]))
    groups, episodes = [of_group(p, part(p)) for p in drill["groups"]], [of_episode(p, drill["ledger"]) for p in drill["episodes"]]
    return {"run": run, "groups": groups, "episodes": episodes, "gates": expected_gates.verdicts(drill, run, groups, episodes)}


for line in sys.stdin:
    try: said = answer(json.loads(line))
    except Exception: said = {"error": traceback.format_exc()}
    print(json.dumps(said), flush=True)
