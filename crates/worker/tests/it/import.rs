//! The import against real servers: MariaDB, and for whole imports PHP and nginx as well.

mod copies;
mod fence;
mod hard_types;
mod kills;
mod refusals;
mod site;
