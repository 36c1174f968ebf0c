//! Reads `tryme:` of the federation or of a site.

use super::super::decode::Field;
use super::{TryMeEntry, scalar};

pub(super) fn tryme(field: Field) -> Option<TryMeEntry> {
    field.keys(|keys| TryMeEntry {
        images: keys.optional("images", |field| {
            let hint = "name it with its tag or digest";
            field.list(|item| item.read(scalar::image, hint))
        }),
        keep_free_percent: keys.optional("keep_free_percent", |field| {
            let hint =
                "how much of Docker's file system stays free: 1 to 90; without the key it is 20";
            field.read(scalar::percent, hint)
        }),
    })
}
