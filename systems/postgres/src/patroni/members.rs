//! What Patroni says of its cluster (`GET /cluster`).

use serde_json::Value;

/// What keeps a cluster of so many members from being whole, as one of them sees it.
pub(crate) fn trouble(cluster: &Value, members: usize, waits_for_a_copy: bool) -> Option<String> {
    let Some(all) = cluster["members"].as_array() else {
        return Some("it names no members".to_owned());
    };
    if all.len() != members {
        return Some(format!("it names {} of {members} members", all.len()));
    }
    let text = |member: &Value, key: &str| member[key].as_str().unwrap_or("unknown").to_owned();
    let unwell = all.iter().find(|member| {
        // Before 3.1 a copy that streams is only `running`.
        !matches!(member["state"].as_str(), Some("running" | "streaming"))
    });
    if let Some(member) = unwell {
        return Some(format!("{} is `{}`", text(member, "name"), text(member, "state")));
    }
    let of_role = |role: &str| all.iter().filter(|member| member["role"] == role).count();
    if of_role("leader") != 1 {
        return Some("it names no leader".to_owned());
    }
    if waits_for_a_copy && of_role("sync_standby") == 0 {
        return Some("it names no synchronous standby".to_owned());
    }
    let timeline = &all[0]["timeline"];
    let agree = all.iter().all(|member| member["timeline"] == *timeline);
    (!agree).then(|| "its members are on several timelines".to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn cluster(roles: &[(&str, &str, u32)]) -> Value {
        let member = |(role, state, timeline): &(&str, &str, u32)| json!({"name": "n", "role": role, "state": state, "timeline": timeline});
        json!({"members": roles.iter().map(member).collect::<Vec<_>>()})
    }

    #[test]
    fn a_cluster_is_whole_when_every_member_serves() {
        let (leader, copy) = (("leader", "running", 1), ("replica", "streaming", 1));
        assert_eq!(trouble(&cluster(&[leader, copy]), 2, false), None);
        assert_eq!(trouble(&cluster(&[leader, ("sync_standby", "running", 1)]), 2, true), None);
        for (roles, waits, why) in [
            (vec![leader], false, "1 of 2 members"),
            (vec![leader, ("replica", "creating replica", 1)], false, "creating replica"),
            (vec![copy, copy], false, "no leader"),
            (vec![leader, copy], true, "no synchronous standby"),
            (vec![leader, ("replica", "running", 2)], false, "several timelines"),
        ] {
            let said = trouble(&cluster(&roles), 2, waits).expect("it is not whole");
            assert!(said.contains(why), "{said}");
        }
        assert!(trouble(&Value::Null, 2, false).is_some());
    }
}
