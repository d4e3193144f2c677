//! A description for a person.

use std::{collections::BTreeSet, fmt};

use model::{NodeId, ServiceId};

use super::{Description, FaultLine, FleetLine, ServiceLine};

impl fmt::Display for Description {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} on the lab `{}`, seed {}, document {}",
            self.scenario,
            self.lab,
            self.seed,
            &self.sha256[..12.min(self.sha256.len())]
        )?;
        if let Some(summary) = &self.summary {
            writeln!(f, "{summary}")?;
        }
        self.write_services(f)?;
        self.write_timeline(f)?;
        if !self.faults.is_empty() {
            writeln!(
                f,
                "\nFaults and their blast radius (this lab only; nothing outside it is touched)"
            )?;
        }
        for fault in &self.faults {
            write_fault(fault, f)?;
        }
        writeln!(f, "\nTraffic")?;
        for (name, region) in &self.regions {
            let kib = region.bytes_per_s / 1024.0;
            writeln!(
                f,
                "  {name:<14} {} nodes, {} assets, {:.1} readings/s, {kib:.1} KiB/s",
                region.nodes, region.assets, region.readings_per_s
            )?;
        }
        self.fleets.iter().try_for_each(|fleet| write_fleet(fleet, f))?;
        if let Some(ratios) = &self.ratios {
            write!(f, "\nRatios, by the capacity that the scenario names\n{ratios}")?;
        }
        writeln!(f, "\nWhat the gates can prove")?;
        for gate in &self.gates {
            writeln!(f, "  {:<24} {} {}", gate.gate, gate.params, gate.can_prove)?;
        }
        if !self.warnings.is_empty() {
            writeln!(f, "\nWarnings")?;
        }
        for warning in &self.warnings {
            writeln!(f, "  {warning}")?;
        }
        Ok(())
    }
}

impl Description {
    fn write_services(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\nServices, in the order in which they are brought up")?;
        self.services.iter().try_for_each(|service| write_service(service, f))
    }

    fn write_timeline(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\nTimeline, {} s at most", self.lasts_s_max)?;
        for phase in &self.phases {
            let marks = [
                (!phase.measured, "not measured"),
                (phase.steady, "steady"),
                (phase.quiesces, "until quiesced, at the latest"),
            ];
            let marks: Vec<&str> =
                marks.into_iter().filter_map(|(shown, mark)| shown.then_some(mark)).collect();
            writeln!(
                f,
                "  {:>7.1} - {:<7.1} {:<12} {}",
                phase.from_s,
                phase.to_s,
                phase.name,
                marks.join(", ")
            )?;
            for (fleet, load) in &phase.load {
                writeln!(f, "{:33}load of {fleet}: {load}", "")?;
            }
        }
        Ok(())
    }
}

fn write_service(service: &ServiceLine, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let ServiceLine { name, kind, nodes, shares_with, needs } = service;
    let listed = |before: &str, names: &BTreeSet<ServiceId>| {
        let names: Vec<&str> = names.iter().map(ServiceId::as_str).collect();
        if names.is_empty() { String::new() } else { format!("{before}{}", names.join(", ")) }
    };
    let (shared, needs) = (listed(", shared with ", shares_with), listed("; needs ", needs));
    let nodes: Vec<&str> = nodes.iter().map(NodeId::as_str).collect();
    writeln!(f, "  {name:<14} {kind} on {}{shared}{needs}", nodes.join(", "))
}

fn write_fleet(fleet: &FleetLine, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let FleetLine { name, probe, assets, readings_per_s, driver, connects_per_s, replay, .. } =
        fleet;
    let peak = match fleet.peak_readings_per_s {
        peak if peak > *readings_per_s => format!(" ({peak:.1} at its highest load)"),
        _ => String::new(),
    };
    if *probe {
        let what = "no assets, and in no figure but `rto.service`";
        return writeln!(
            f,
            "  fleet {name}: {assets} probes, {readings_per_s:.1} readings/s by {driver}; {what}"
        );
    }
    writeln!(
        f,
        "  fleet {name}: {assets} assets, {readings_per_s:.1} readings/s{peak} by {driver}; losing its largest region asks for {connects_per_s:.0} connects/s; replay at {replay}x on top of live"
    )
}

fn word(lever: &model::Lever) -> String {
    serde_json::to_value(lever)
        .ok()
        .and_then(|value| Some(value.as_str()?.replace('_', " ")))
        .unwrap_or_default()
}

fn write_fault(fault: &FaultLine, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    writeln!(f, "  {}: {}, opens {}, closes {}", fault.id, fault.kind, fault.opens, fault.closes)?;
    let Some(reach) = &fault.reach else { return Ok(()) };
    let regions: Vec<&str> = reach.regions.iter().map(model::RegionId::as_str).collect();
    let levers: Vec<String> = reach.levers.iter().map(word).collect();
    let whom = match reach.assets_hit {
        0 => format!("{} of {} nodes", reach.nodes_hit, reach.nodes),
        1 => "1 asset".to_owned(),
        assets => format!("{assets} assets"),
    };
    writeln!(f, "    {whom}, in {}; levers: {}", regions.join(", "), levers.join(", "))?;
    for (service, (hit, all)) in &reach.services {
        writeln!(
            f,
            "    {service}: {hit} of {all} nodes{}",
            if (all - hit) * 2 <= *all { ", no majority is left" } else { "" }
        )?;
    }
    if fault.backlog > 0 {
        writeln!(
            f,
            "    backlog of at most {} readings on assets that find no other way",
            fault.backlog
        )?;
    }
    Ok(())
}
