//! Which servers of a wave may be changed at once.

use std::collections::BTreeMap;

use federation::names::NodeName;

/// Servers that run are restarted one after the other, so that the rest keeps the quorum;
/// servers that start for the first time need each other, and come together at the end.
pub(super) fn turns<T>(
    servers: BTreeMap<NodeName, T>,
    runs: impl Fn(&NodeName) -> bool,
) -> Vec<BTreeMap<NodeName, T>> {
    let (running, starting): (BTreeMap<_, _>, BTreeMap<_, _>) =
        servers.into_iter().partition(|(node, _)| runs(node));
    let mut turns: Vec<_> = running
        .into_iter()
        .map(|server| BTreeMap::from([server]))
        .collect();
    if !starting.is_empty() {
        turns.push(starting);
    }
    turns
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_that_run_are_restarted_one_after_the_other() {
        let told = |running: &[&str]| {
            let servers = ["a", "b", "c"].map(|node| (node.parse().unwrap(), ()));
            turns(servers.into(), |node| running.contains(&node.as_str()))
                .iter()
                .map(|turn| {
                    turn.keys()
                        .map(NodeName::as_str)
                        .collect::<Vec<_>>()
                        .join("+")
                })
                .collect::<Vec<_>>()
        };
        assert_eq!(told(&["a", "b", "c"]), ["a", "b", "c"]);
        assert_eq!(told(&[]), ["a+b+c"]);
        assert_eq!(told(&["b"]), ["b", "a+c"]);
    }
}
