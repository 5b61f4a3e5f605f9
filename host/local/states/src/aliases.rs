//! The operations on aliases.

use time::OffsetDateTime;

use crate::arn::{self, MachineReference};
use crate::error::StatesError;
use crate::service::States;
use crate::store::version::Alias;

/// The most aliases of a machine.
const MOST_ALIASES: usize = 100;
/// The longest name of an alias, in characters.
const MOST_NAME: usize = 80;
/// The service's own text of its rule for names.
const NAME_RULE: &str = r"^(?=.*[a-zA-Z_\-\.])[a-zA-Z0-9_\-\.]+$";

/// A version and its percentage of the executions, as a caller gives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Route {
    pub version_arn: String,
    pub weight: i64,
}

impl States {
    /// Creates an alias and returns its ARN. Creating the same one again returns the existing one.
    ///
    /// # Errors
    /// `ValidationException`, `ResourceNotFound`, `ConflictException`, `ServiceQuotaExceededException`.
    pub(crate) fn create_alias(
        &self,
        name: &str,
        description: Option<String>,
        routes: &[Route],
    ) -> Result<(String, Alias), StatesError> {
        check_alias_name(name)?;
        let (machine, routes) = self.check_routes(routes, None)?;
        let arn = format!("{}:{name}", self.machine_arn(&machine));
        let mut store = self.store();
        let published = store.published.entry(machine).or_default();
        if let Some(found) = published.aliases.get(name) {
            return if (&found.routes, &found.description) == (&routes, &description) {
                Ok((arn, found.clone()))
            } else {
                Err(StatesError::new(
                    "ConflictException",
                    "Failed to create alias because an alias with the same name and a different routing configuration \
                     already exists.",
                ))
            };
        }
        if published.aliases.len() >= MOST_ALIASES {
            let message = format!("a state machine has at most {MOST_ALIASES} aliases");
            return Err(StatesError::new("ServiceQuotaExceededException", message));
        }
        let now = OffsetDateTime::now_utc();
        let alias = Alias { description, routes, created_at: now, updated_at: now };
        published.aliases.insert(name.to_owned(), alias.clone());
        Ok((arn, alias))
    }

    /// Changes an alias for executions that start later. `None` leaves a value as it is.
    ///
    /// # Errors
    /// `InvalidArn`, `ResourceNotFound`, `ValidationException`.
    pub(crate) fn update_alias(
        &self,
        arn: &str,
        description: Option<String>,
        routes: Option<&[Route]>,
    ) -> Result<Alias, StatesError> {
        let (machine, name) = alias_name(arn)?;
        if !self.is_own(arn) {
            return Err(StatesError::no_resource());
        }
        let routes = routes.map(|routes| self.check_routes(routes, Some(machine))).transpose()?;
        let mut store = self.store();
        let found = store.published.get_mut(machine).and_then(|published| published.aliases.get_mut(name));
        let alias = found.ok_or_else(StatesError::no_resource)?;
        alias.description = description.or_else(|| alias.description.take());
        if let Some((_, routes)) = routes {
            alias.routes = routes;
        }
        alias.updated_at = OffsetDateTime::now_utc();
        Ok(alias.clone())
    }

    /// Deletes an alias, if it exists.
    ///
    /// # Errors
    /// `InvalidArn`.
    pub(crate) fn delete_alias(&self, arn: &str) -> Result<(), StatesError> {
        let (machine, name) = alias_name(arn)?;
        if self.is_own(arn)
            && let Some(published) = self.store().published.get_mut(machine)
        {
            published.aliases.remove(name);
        }
        Ok(())
    }

    /// Returns the name of an alias and the alias.
    ///
    /// # Errors
    /// `InvalidArn`, `ResourceNotFound`.
    pub(crate) fn alias<'a>(&self, arn: &'a str) -> Result<(&'a str, &'a str, Alias), StatesError> {
        let (machine, name) = alias_name(arn)?;
        let found = self.read_published(machine, |published| published.aliases.get(name).cloned());
        let found = found.filter(|_| self.is_own(arn));
        Ok((machine, name, found.ok_or_else(StatesError::no_resource)?))
    }

    /// Checks the routes of an alias of this machine, or of the machine of its versions. Messages are the service's.
    fn check_routes(&self, routes: &[Route], machine: Option<&str>) -> Result<(String, Vec<(u64, u64)>), StatesError> {
        let invalid = |message: String| Err(StatesError::validation(message));
        let rule = |value: &str, place: &str, rule: &str| Err(StatesError::constraint(value, place, rule));
        if !(1..=2).contains(&routes.len()) {
            let items = routes.iter().map(|route| {
                format!(
                    "RoutingConfigurationListItem(stateMachineVersionArn={}, weight={})",
                    route.version_arn, route.weight
                )
            });
            let items = format!("[{}]", items.collect::<Vec<_>>().join(", "));
            let bound = if routes.is_empty() { "greater than or equal to 1" } else { "less than or equal to 2" };
            return rule(&items, "routingConfiguration", &format!("Member must have length {bound}"));
        }
        for (at, route) in routes.iter().enumerate() {
            let bound = match route.weight {
                0..=100 => continue,
                ..0 => "greater than or equal to 0",
                _ => "less than or equal to 100",
            };
            let place = format!("routingConfiguration.{}.member.weight", at + 1);
            return rule(&route.weight.to_string(), &place, &format!("Member must have value {bound}"));
        }
        let listed = || routes.iter().map(|route| route.version_arn.as_str()).collect::<Vec<_>>().join(", ");
        let mut checked = Vec::new();
        let mut owner = machine;
        for route in routes {
            let Ok(MachineReference::Version(name, number)) = arn::machine_reference(&route.version_arn) else {
                return invalid(format!(
                    "Routing configuration must contain state machine version ARNs. Received: [{}]",
                    listed()
                ));
            };
            if *owner.get_or_insert(name) != name {
                return invalid(format!(
                    "Routing configuration must contain versions of one state machine. Received: [{}]",
                    listed()
                ));
            }
            if checked.iter().any(|(found, _)| *found == number) {
                return invalid(format!(
                    "Routing configuration must contain distinct state machine version ARNs. Received: [{}]",
                    listed()
                ));
            }
            checked.push((number, route.weight.unsigned_abs()));
        }
        if checked.iter().map(|(_, weight)| weight).sum::<u64>() != 100 {
            let weights: Vec<String> = checked.iter().map(|(_, weight)| weight.to_string()).collect();
            return invalid(format!(
                "Sum of routing configuration weights must equal 100. Received: [{}]",
                weights.join(", ")
            ));
        }
        let owner = owner.unwrap_or_default();
        let own = routes.iter().all(|route| self.is_own(&route.version_arn));
        let known = own
            && self.read_published(owner, |published| {
                checked.iter().all(|(number, _)| published.versions.contains_key(number))
            });
        match known {
            true => Ok((owner.to_owned(), checked)),
            false => Err(StatesError::no_resource()),
        }
    }
}

fn check_alias_name(name: &str) -> Result<(), StatesError> {
    let rule = match name.chars().count() {
        0 => "Member must have length greater than or equal to 1".to_owned(),
        length if length > MOST_NAME => format!("Member must have length less than or equal to {MOST_NAME}"),
        _ => {
            let allowed = name.chars().all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c));
            if allowed && !name.chars().all(|c| c.is_ascii_digit()) {
                return Ok(());
            }
            format!("Member must satisfy regular expression pattern: {NAME_RULE}")
        }
    };
    Err(StatesError::constraint(name, "name", &rule))
}

/// Returns the machine and the name in an alias's ARN.
fn alias_name(arn: &str) -> Result<(&str, &str), StatesError> {
    match arn::machine_reference(arn)? {
        MachineReference::Alias(machine, name) => Ok((machine, name)),
        MachineReference::Machine(_) | MachineReference::Version(..) => Err(StatesError::invalid_arn(arn)),
    }
}
