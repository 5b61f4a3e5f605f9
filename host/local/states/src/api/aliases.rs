//! Aliases in the API.

use serde_json::{Value, json};
use stagehost_asl::epoch_seconds;

use super::paging::Page;
use super::requests::{CreateAlias, ListOfMachine, RoutingItem, UpdateAlias};
use super::responses::with_next;
use crate::aliases::Route;
use crate::arn::{self, MachineReference};
use crate::error::StatesError;
use crate::service::States;

impl States {
    pub(super) fn new_alias(&self, request: CreateAlias) -> Result<Value, StatesError> {
        let routes = routes(request.routing_configuration);
        let (arn, alias) = self.create_alias(&request.name, request.description, &routes)?;
        Ok(json!({"stateMachineAliasArn": arn, "creationDate": epoch_seconds(alias.created_at)}))
    }

    pub(super) fn change_alias(&self, request: UpdateAlias) -> Result<Value, StatesError> {
        let routes = request.routing_configuration.map(routes);
        if request.description.is_none() && routes.is_none() {
            let message = "Either the description or the routingConfiguration must be specified";
            return Err(StatesError::validation(message));
        }
        let alias = self.update_alias(&request.state_machine_alias_arn, request.description, routes.as_deref())?;
        Ok(json!({"updateDate": epoch_seconds(alias.updated_at)}))
    }

    pub(super) fn describe_alias(&self, arn: &str) -> Result<Value, StatesError> {
        let (machine, name, alias) = self.alias(arn)?;
        let machine = self.machine_arn(machine);
        let routes = alias.routes.iter().map(
            |(version, weight)| json!({"stateMachineVersionArn": format!("{machine}:{version}"), "weight": weight}),
        );
        let mut answer = json!({
            "stateMachineAliasArn": arn, "name": name, "routingConfiguration": routes.collect::<Vec<_>>(),
            "creationDate": epoch_seconds(alias.created_at), "updateDate": epoch_seconds(alias.updated_at)
        });
        if let Some(description) = alias.description {
            answer["description"] = description.into();
        }
        Ok(answer)
    }

    /// Returns the aliases of a machine, or those that lead to a version.
    pub(super) fn list_aliases(&self, request: &ListOfMachine) -> Result<Value, StatesError> {
        let arn = &request.state_machine_arn;
        let reference = arn::machine_reference(arn)?;
        let name = reference.machine();
        if !self.is_own(arn) {
            return Err(StatesError::no_machine(arn));
        }
        self.state_machine(&self.machine_arn(name)).map_err(|_| StatesError::no_machine(arn))?;
        let page = Page::read(json!(["aliases", arn]), request.max_results, request.next_token.as_deref())?;
        let leads = |routes: &[(u64, u64)]| match reference {
            MachineReference::Version(_, number) => routes.iter().any(|(to, _)| *to == number),
            MachineReference::Machine(_) | MachineReference::Alias(..) => true,
        };
        let aliases = self.read_published(name, |published| published.aliases.clone());
        let aliases = aliases.iter().filter(|(_, alias)| leads(&alias.routes)).zip(0_u64..);
        let (aliases, next) = page.cut(aliases.skip_while(|(_, at)| *at < page.from.unwrap_or(0)), |(_, at)| *at);
        let aliases = aliases.iter().map(|((alias, found), _)| {
            let arn = format!("{}:{alias}", self.machine_arn(name));
            json!({"stateMachineAliasArn": arn, "creationDate": epoch_seconds(found.created_at)})
        });
        Ok(with_next(json!({"stateMachineAliases": aliases.collect::<Vec<_>>()}), next))
    }
}

fn routes(items: Vec<RoutingItem>) -> Vec<Route> {
    let route = |item: RoutingItem| Route { version_arn: item.state_machine_version_arn, weight: item.weight };
    items.into_iter().map(route).collect()
}
