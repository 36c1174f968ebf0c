//! A DNS zone as a file (RFC 1035).

use std::fmt::Write as _;
use std::net::IpAddr;

use crate::plan::{Record, Zone};

/// How long resolvers may keep an address, in seconds: a gateway may be replaced in a hurry.
const TTL_S: u32 = 300;

/// The file of a zone.
///
/// Its first two records make it whole, so that tools read it. They are for nobody's use: names
/// that cannot exist, and a serial that stays. Only who publishes the zone can count its versions.
pub(super) fn text(zone: &Zone) -> String {
    let mut text = format!(
        "; Written by atoll. The records of users' URLs, for whoever publishes the zone.\n\
         ; Where the zone is there already, leave out SOA and NS.\n\
         $ORIGIN {}.\n\
         $TTL {TTL_S}\n\
         @ IN SOA ns.invalid. hostmaster.invalid. 1 3600 600 604800 {TTL_S}\n\
         @ IN NS ns.invalid.\n",
        zone.name
    );
    for record in &zone.records {
        write_record(&mut text, record);
    }
    text
}

fn write_record(text: &mut String, record: &Record) {
    let Record { name, addresses } = record;
    for owner in [name.clone(), format!("*.{name}")] {
        for address in addresses {
            let kind = match address {
                IpAddr::V4(_) => "A",
                IpAddr::V6(_) => "AAAA",
            };
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{owner} IN {kind} {address}");
        }
    }
}
