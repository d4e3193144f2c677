//! Where those parts of a scenario are written that a lab may be unable to do.

use document::{Node, Sources, Span};
use model::plan::{Line, Window, Written};

use crate::stack::pair_of;

/// `windows` are those that the faults of `root` made, one of each, in their order.
pub(crate) fn written(root: &Node, sources: &Sources, windows: &[Window]) -> Written {
    let line = |span: Span| {
        let (line, column) = sources.position(span);
        Line { file: sources.file(span.source).name.clone(), line, column }
    };
    let below = |section: &str, key: &str| {
        root.at(section).and_then(|node| node.at(key)).map_or(&[][..], Node::entries)
    };
    let mut written = Written::default();
    let pairs = below("stack", "links").iter().filter_map(|entry| {
        let (from, to) = pair_of(&entry.key.text)?;
        Some((from, to, line(entry.key.span)))
    });
    let pairs: Vec<_> = pairs.collect();
    // A pair goes both ways, unless its other way is given too: that one is written over the first.
    for (from, to, at) in &pairs {
        written.links.insert(((*to).into(), (*from).into()), at.clone());
    }
    for (from, to, at) in pairs {
        written.links.insert((from.into(), to.into()), at);
    }
    for fleet in below("traffic", "fleets") {
        written.fleets.insert(fleet.key.text.as_str().into(), line(fleet.key.span));
        if let Some(access) = fleet.value.entry("access") {
            written.access.insert(fleet.key.text.as_str().into(), line(access.key.span));
        }
    }
    for service in below("stack", "services") {
        written.services.insert(service.key.text.as_str().into(), line(service.key.span));
    }
    let faults = root.at("faults").map_or(&[][..], Node::items);
    for (window, fault) in windows.iter().zip(faults) {
        written.windows.insert(window.id.clone(), line(fault.span));
    }
    written
}
