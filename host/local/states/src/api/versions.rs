//! Versions of state machines in the API.

use serde_json::{Value, json};
use stagehost_asl::epoch_seconds;

use super::paging::Page;
use super::requests::{ListOfMachine, PublishVersion};
use super::responses::with_next;
use crate::arn;
use crate::error::StatesError;
use crate::service::States;

impl States {
    pub(super) fn publish(&self, request: PublishVersion) -> Result<Value, StatesError> {
        let PublishVersion { state_machine_arn, revision_id, description } = request;
        let version = self.publish_version(&state_machine_arn, revision_id.as_deref(), description)?;
        let machine = version.machine;
        Ok(json!({"stateMachineVersionArn": machine.arn, "creationDate": epoch_seconds(machine.created_at)}))
    }

    /// Returns the versions of a machine, the newest first.
    pub(super) fn list_versions(&self, request: &ListOfMachine) -> Result<Value, StatesError> {
        let arn = &request.state_machine_arn;
        let name = arn::machine_name(arn)?;
        let page = Page::read(json!(["versions", arn]), request.max_results, request.next_token.as_deref())?;
        // There are no machines of other regions or accounts here.
        let name = if self.is_own(arn) { name } else { "" };
        let (versions, next) = self.read_published(name, |published| {
            let all = published.versions.iter().rev();
            let wanted = all.filter(|(number, _)| page.from.is_none_or(|from| **number <= from));
            let wanted = wanted.map(|(number, version)| {
                let machine = &version.machine;
                let created = epoch_seconds(machine.created_at);
                (*number, json!({"stateMachineVersionArn": machine.arn, "creationDate": created}))
            });
            page.cut(wanted, |(number, _)| *number)
        });
        let versions: Vec<Value> = versions.into_iter().map(|(_, version)| version).collect();
        Ok(with_next(json!({"stateMachineVersions": versions}), next))
    }
}
