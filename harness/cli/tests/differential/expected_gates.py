"""What each gate has to say, from the measurement page and figures of the reference alone. A gate that is not known here says nothing.

A gate is `{kind, params}` with limits in microseconds, shares as numbers. Verdicts: pass, inconclusive, fail, not applicable."""
import oracle

INF, WORST = oracle.INF, ("fail", "inconclusive", "pass")
FEW = 100                                                       # readings due below which a share is judged by its bounds


def worst(verdicts):
    return min(verdicts, key=WORST.index, default="inconclusive")
def at_most(value, most, is_open):
    """What is over the limit fails; what is not passes only where somebody could have seen it."""
    return "fail" if value > most else "inconclusive" if is_open else "pass"


class Run:
    """One run: its plan, its readings without those of probes, its episodes with what was found of each."""
    def __init__(self, drill, found, groups, episodes):
        self.plan, self.found, self.groups = drill["run"], found, groups
        self.ledger = [r for r in drill["ledger"] if r["asset"] in self.plan["assets"]]
        self.series = oracle.judged(self.plan, self.ledger)
        self.episodes = [(p, f, {a: s for a, s in p["assets"].items() if not s["probe"]}) for p, f in zip(drill["episodes"], episodes)]
        self.planned, self.group_plans, self.exits = drill["windows_planned"], drill["groups"], drill["unexpected_exits"]
        self.observers = {o: d for p in drill["groups"] for o, d in p["observers"].items() if p["assets"]}

    def phase(self, name):
        return next((p for p in self.plan["phases"] if p["name"] == name), None)
    def baseline(self):
        return next((p for p in self.plan["phases"] if p["steady"]), None)
    def saw(self, observer):
        return any(observer in r["obs"] for r in self.ledger)

    def silent(self, assets, span):
        """Some of the assets owe readings and were in contact in the span, and none fell due."""
        gated = {s for s, d in self.plan["streams"].items() if d["gated"]}
        for asset in assets:
            owes = any(s.split("/")[0] == self.plan["assets"][asset]["fleet"] for s in gated)
            here = oracle.in_contact(self.plan, asset, span) > 0
            due = any(span[0] <= r["t_ready"] < span[1] for s in gated for r in self.series.get((asset, s), []))
            if owes and here and not due: return True
        return False
    def nobody_looked(self, begin):
        """From the effect to the next planned change; of what is still open, from the heal to the end."""
        end, fleet = self.plan["end"], list(self.plan["assets"])
        if not self.episodes: return self.silent(fleet, (self.plan["start"], end))
        def one(plan, found):
            span = (plan["t_effect"], min(oracle.episode(plan)[0], end)) if begin == "effect" else (plan["t_heal"] or plan["t_effect"], end)
            return self.silent(fleet if plan["affected"] is None else found["affected"]["assets"], span)
        return any(one(plan, found) for plan, found, _ in self.episodes)


# ---- counts
def acked_lost(run, params, after=False):
    rpos = [g["rpo"] for g in run.groups]
    acked = sum(r["acked_after" if after else "acked"] for r in rpos)
    lost = sum(len(r["after_effect"]) if after else r["count"] for r in rpos)
    watched = all(r["watched"] or not r["acked_after" if after else "acked"] for r in rpos)
    effect = min((p["t_effect"] for p, _, _ in run.episodes), default=INF)
    acks = {oracle.identity(r): r["t_acked"] for r in run.ledger}
    unseen = [i for r in rpos for i in map(tuple, r["unseen"]) if not after or acks[i] >= effect]
    if not any(r["watched"] for r in rpos): return "inconclusive"
    return at_most(lost, params["max"], not acked or unseen or not watched)
def unexplained(run, params):
    keepers = [o for o, d in run.observers.items() if d["role"] in oracle.KEEPS_EVERYTHING]
    counts = [g["duplicates"][o]["unexplained"] for g in run.groups for o in g["duplicates"]]
    return at_most(max(counts, default=0), params["max"], not keepers or not all(map(run.saw, keepers)))
def time_travel(run, params):
    forgetful = [o for o, d in run.observers.items() if d["role"] == "current_value"]
    counts = [g["time_travel"][o]["count"] for g in run.groups for o in g["time_travel"]]
    return at_most(max(counts, default=0), params["max"], not forgetful or not all(map(run.saw, forgetful)))
def delivered(run, params):
    due = visible = unseen = unwatched = 0
    for g in run.groups:
        due, visible, unseen = due + g["delivered"]["due"], visible + g["delivered"]["visible"], unseen + g["delivered"]["unseen"]
        unwatched += g["delivered"]["unwatched"]
    if not due or (visible + unseen) / due >= params["min"] > visible / due: return "inconclusive"
    return "fail" if visible / due < params["min"] else "inconclusive" if unwatched else "pass"

# ---- outages
def outage_longest(run, params):
    longest = run.found["longest_outage"]["all"]
    if not run.series: return "inconclusive"
    return at_most(INF if longest["censored"] else longest["max"], params["max"], run.nobody_looked("effect"))
def asset_seconds_lost(run, params):
    if not run.series: return "inconclusive"
    return at_most(run.found["asset_us_lost"] / 1e6, params["max"], run.nobody_looked("effect"))
def stuck_assets(run, params):
    if not run.series: return "inconclusive"
    return at_most(len(run.found["stuck_assets"]), params["max"], run.nobody_looked("end"))

# ---- recovery
def recovered(mark, low, high, most):
    if mark["verdict"] in ("no outage above phi", "no outage"): return "pass"
    if mark["verdict"] == "not decidable": return "inconclusive"
    if mark["verdict"] != "measured" or low > most: return "fail"
    return "pass" if high <= most else "inconclusive"
def rto(run, params):
    phi = str(round(10_000 * (1 - params["of_assets"])))
    def one(found):
        mark = found["rto"][phi]
        return recovered(mark, mark.get("value"), mark.get("value"), params["max"])
    return worst([one(found) for _, found, _ in run.episodes])
def rto_service(run, params):
    def shard(plan, name, mark):
        gated = [s for s in plan["streams"] if plan["streams"][s]["gated"]]
        readings = [r for (a, s), rs in plan["series"].items() if s in gated and plan["assets"][a]["shard"] == name for r in rs]
        asked = any(plan["t_effect"] <= r["t_ready"] < oracle.episode(plan)[0] for r in readings)
        if mark["verdict"] == "no outage" and not asked: return "inconclusive"
        return recovered(mark, mark.get("value"), mark.get("value", 0) + (mark.get("resolution") or 0), params["max"])
    return worst([shard(plan, name, mark) for plan, found, _ in run.episodes for name, mark in found["rto_service"].items()])

# ---- goodput
def counted(run, assets, span):
    due = [r for (a, _), rs in run.series.items() if a in assets for r in rs if span[0] <= r["t_ready"] < span[1]]
    return sum(oracle.good(run.plan, r) for r in due), len(due)
def share(run, assets, span, steady, least):
    (good, due), (base_good, base_due) = counted(run, assets, span), counted(run, assets, steady)
    if not base_good or not due: return "inconclusive"
    times = lambda part: part * base_due / base_good
    low = high = times(good / due)
    if due < FEW:
        low = times(1 - oracle.clopper_pearson(due - good, due, "upper"))
        high = times(1 - oracle.clopper_pearson(due - good, due, "lower"))
    return "pass" if low >= least else "fail" if high < least else "inconclusive"
def goodput(run, params):
    fleet, named, of = set(run.plan["assets"]), [run.phase(p) for p in params.get("during", [])], params["of"]
    if run.baseline() is None or None in named: return "inconclusive" if run.planned or of != "control" or run.baseline() is None else "not applicable"
    if not run.planned and of == "control": return "not applicable"
    if not run.planned and (of == "affected" or not named) or run.planned and not run.episodes: return "inconclusive"
    spans = [(p["start"], p["end"]) for p in named]
    effect = min((p["t_effect"] for p, _, _ in run.episodes), default=INF)
    steady = (run.baseline()["start"], min(run.baseline()["end"], effect - run.plan["theta"]))
    if of == "all" and named: return worst([share(run, fleet, s, steady, params["min"]) for s in spans])
    cohorts = []
    for plan, found, _ in run.episodes:
        if plan["affected"] is None and of != "all": return "inconclusive"
        change, fault = oracle.episode(plan)
        hit = set(found["affected"]["assets"])
        members = {"all": fleet, "affected": hit, "control": fleet - hit}[of]
        mine = [(plan["t_effect"], min(change, run.plan["end"]))]
        if named: mine = [(max(a, plan["t_effect"]), min(b, fault)) for a, b in spans if max(a, plan["t_effect"]) < min(b, fault)]
        cohorts.append((members, mine))
    if of == "control":
        cohorts = [c for c in cohorts if c[0]]
        if not cohorts: return "not applicable"
    if any(not members for members, _ in cohorts): return "inconclusive"
    return worst([share(run, members, s, steady, params["min"]) for members, mine in cohorts for s in mine])


# ---- percentiles of steady phases
def limit_groups(run, gate):
    """The tests of one gate by phase and group; None where it cannot be asked."""
    kind, params = gate["kind"].split("."), gate["params"]
    names = params.get("during") or [p["name"] for p in [run.baseline()] if p]
    phases, clock, q = [run.phase(n) for n in names], params["clock"], float(".".join(kind[2:])[1:]) / 100
    if not phases or None in phases or not all(p["steady"] for p in phases) or clock < oracle.SECOND or clock % oracle.SECOND: return None
    observer = params.get("observer")
    if observer and run.observers.get(observer, {}).get("role") not in ("system_of_record", "replica"): return None
    takes = {a for p in run.group_plans if observer in p["observers"] for a in p["assets"]} if observer else set(run.plan["assets"])
    group = lambda asset: run.plan["assets"][asset][params["by"]] if params.get("by") else "all"
    streams = run.plan["streams"] if observer is None else {s: dict(d, ack="required") for s, d in run.plan["streams"].items()}
    plan, tests = dict(run.plan, streams=streams), {}
    def owes(a):
        return any(d["ack"] == "required" and s.split("/")[0] == run.plan["assets"][a]["fleet"] for s, d in streams.items())
    def wait(r):
        if observer is None: return INF if oracle.ack_latency(r) is None else oracle.ack_latency(r)
        return min((t for t, _ in r["obs"].get(observer, [])), default=INF) - r["t_ready"]
    for phase in phases:
        seconds = (phase["end"] - phase["start"]) // clock * clock // oracle.SECOND
        waits = {g: [] for g in {group(a) for a in takes if owes(a)}}
        for r in oracle.in_phase(plan, run.ledger, phase):
            second = (r["t_ready"] - phase["start"]) // oracle.SECOND
            if r["asset"] in takes and second < seconds: waits[group(r["asset"])].append((second, wait(r)))
        for name, mine in waits.items():
            quantile = oracle.nearest_rank(sorted(w for _, w in mine), q) if mine else 0
            def per_second(above):
                counts = [0] * seconds
                for s, w in mine: counts[s] += w > above
                return counts
            test = oracle.limit_gate(per_second(-1), per_second(params["max"]), per_second(quantile), q, clock // oracle.SECOND) if mine else dict(verdict="inconclusive")
            tests[phase["name"], name] = test
    return tests


KINDS = {"acked_lost": acked_lost, "acked_lost.after_effect": lambda run, params: acked_lost(run, params, after=True),
         "duplicates.unexplained": unexplained, "time_travel": time_travel, "delivered": delivered, "outage.longest": outage_longest,
         "asset_seconds_lost": asset_seconds_lost, "stuck_assets": stuck_assets, "rto": rto, "rto.service": rto_service, "goodput": goodput,
         "unexpected_exits": lambda run, params: at_most(run.exits, params["max"], False)}


def verdicts(drill, found, groups, episodes):
    run, series = Run(drill, found, groups, episodes), oracle.judged
    for plan, _, _ in run.episodes: plan["series"] = series(plan, drill["ledger"])
    tests = {i: limit_groups(run, g) for i, g in enumerate(drill["gates"]) if g["kind"].startswith("latency.")}
    oracle.holm([t for groups_of in tests.values() if groups_of for t in groups_of.values()])
    def verdict(i, gate):
        if i in tests: return worst([t["verdict"] for t in (tests[i] or {}).values()])
        return KINDS[gate["kind"]](run, gate["params"]) if gate["kind"] in KINDS else None
    return [verdict(i, gate) for i, gate in enumerate(drill["gates"])]
