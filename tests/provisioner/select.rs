//! Which hosts a selector means.

use provisioner::plan::plan;
use provisioner::select::Selector;

use crate::kinds::kinds;

fn meant(selector: &str) -> Result<String, String> {
    let selector: Selector = selector.parse().map_err(|error| format!("{error}"))?;
    let nodes = selector
        .nodes(&plan(&kinds()))
        .map_err(|error| error.to_string())?;
    let names: Vec<_> = nodes
        .iter()
        .map(|node| node.as_str().trim_start_matches("example-"))
        .collect();
    Ok(names.join(" "))
}

#[test]
fn a_selector_means_hosts_by_name_place_and_kind() {
    for (selector, expected) in [
        ("example-one-wn-cpu-0", "one-wn-cpu-0"),
        ("wn-cpu-0", "one-wn-cpu-0"),
        ("server-0", "one-server-0 two-server-0"),
        ("old-worker", "old-worker"),
        (
            "wn-*-0,gateway-0",
            "one-gateway-0 one-wn-batch-0 one-wn-cpu-0 one-wn-gpu-0 one-wn-plain-0 one-wn-tryme-0 two-gateway-0",
        ),
        ("@site:example-two", "two-gateway-0 two-server-0 old-worker"),
        ("@gateway", "one-gateway-0 two-gateway-0"),
        ("@gpu", "one-wn-gpu-0 one-wn-plain-0"),
        (
            "@server",
            "one-server-0 one-server-1 one-server-2 two-server-0",
        ),
        (
            "@client",
            "one-wn-batch-0 one-wn-cpu-0 one-wn-gpu-0 one-wn-plain-0 one-wn-tryme-0 old-worker",
        ),
        (" wn-0 , wn-0 ", "old-worker"),
    ] {
        assert_eq!(meant(selector).as_deref(), Ok(expected), "{selector}");
    }
}

#[test]
fn terms_that_mean_nothing_are_told_together_with_what_is_near() {
    assert_eq!(
        meant("wn-cpu-1,@gpu,@site:example-tow,x-*").unwrap_err(),
        "no host is meant by `wn-cpu-1` (did you mean wn-cpu-0 or wn-gpu-0?), \
         `@site:example-tow` (did you mean example-two or example-one?), `x-*`; \
         the inventory has @site:example-one, @site:example-two and \
         example-one-gateway-0, example-one-server-0, example-one-server-1, example-one-server-2, \
         example-one-wn-batch-0, example-one-wn-cpu-0, example-one-wn-gpu-0, \
         example-one-wn-plain-0, example-one-wn-tryme-0, example-two-gateway-0, \
         example-two-server-0, old-worker"
    );
}

/// Somebody with a thousand hosts reads a dozen of them, and how many more there are.
#[test]
fn of_many_hosts_the_first_are_named() {
    let mut plan = plan(&kinds());
    let host = plan.hosts.values().next().unwrap().clone();
    let more = (0..9).map(|n| (format!("z-{n}").parse().unwrap(), host.clone()));
    plan.hosts.extend(more);
    let selector: Selector = "nobody".parse().unwrap();
    let told = selector.nodes(&plan).unwrap_err().to_string();
    assert!(told.ends_with("old-worker, 9 more"), "{told}");
}
