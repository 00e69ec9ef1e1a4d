//! Sites on the platform.

pub(crate) mod body;
pub(crate) mod create;
pub(crate) mod credentials;
pub(crate) mod list;
pub(crate) mod view;

use landfall_common::SiteId;
use landfall_common::ports::{DocumentKey, DocumentKind};
use landfall_common::site::Site;

use crate::auth::Principal;
use crate::problem::Problem;
use crate::state::ApiState;
use crate::validate;

/// The site of an id or a name, if it exists for the caller.
pub(crate) async fn site_named(
    state: &ApiState,
    principal: &Principal,
    id_or_name: &str,
) -> Result<Site, Problem> {
    let id = match id_or_name.parse::<SiteId>() {
        Ok(id) => Some(id),
        Err(_) => id_of_name(state, id_or_name).await?,
    };
    let nothing = || Problem::not_found("site");
    let site = site(state, id.ok_or_else(nothing)?).await?;
    site.filter(|site| principal.sees(site.organization)).ok_or_else(nothing)
}

/// The site of an id, whoever asks.
pub(crate) async fn site(state: &ApiState, id: SiteId) -> Result<Option<Site>, Problem> {
    let (_, found) = state.records.read::<Site>(DocumentKind::Site, id).await?;
    Ok(found.map(|found| found.value))
}

/// The id of the site that has a name, whoever asks.
pub(crate) async fn id_of_name(state: &ApiState, name: &str) -> Result<Option<SiteId>, Problem> {
    if validate::site_name(name.to_owned()).is_err() {
        // Nothing has such a name, however long it is.
        return Ok(None);
    }
    let key = DocumentKey::new(DocumentKind::SiteName, name);
    let (_, mut found) = state.records.store().load(&[key]).await?;
    let Some(document) = found.pop().flatten() else { return Ok(None) };
    let id = std::str::from_utf8(&document.body).ok().and_then(|text| text.parse().ok());
    if id.is_none() {
        tracing::error!("the note of whose a site name is cannot be read");
        return Err(Problem::internal());
    }
    Ok(id)
}
