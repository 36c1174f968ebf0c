//! Brings hosts to what was rendered, and proves that they are there.
//!
//! ```text
//! Rendered ──wanted──▶ Wanted ──changes(Facts)──▶ [Change] ──script──▶ Batch ──wave──▶ host
//! ```
//!
//! Deciding is apart from acting: [`changes`] and [`batch`] are pure, and what
//! they give can be shown, stored and compared. Acting takes a decision and
//! adds none. The world is asked again after each wave.

mod changes;
mod claim;
mod diff;
mod facts;
mod health;
mod lenders;
mod manifest;
mod payload;
mod run;
mod scope;
mod script;
mod services;
mod steps;
mod survey;
mod turns;
mod wanted;
mod wave;

pub use changes::{Change, What, changes};
pub use claim::{Claim, ClaimError};
pub use diff::diff;
pub use facts::{
    Facts, FactsError, PathFact, Query, ServiceFact, TrustedProgram, read as read_facts,
    script as facts_script,
};
pub use health::operator_identity;
pub use lenders::{Lender, lenders};
pub use manifest::{ImageRecord, Manifest, manifest_after};
pub use run::{Applied, apply};
pub use scope::Scope;
pub use script::{Batch, Late, batch};
pub use services::Services;
pub use steps::Steps;
pub use survey::{Desired, Member, Reach, SurveyError, survey};
pub use wanted::{
    Wanted, WantedError, WantedFile, WantedImage, WantedPackages, WantedProgram, Wish, query,
    wanted,
};
