//! A component's types beside those of the contract.
//!
//! The component model compares types by structure and exactly: one field more in a record makes it another type. So what
//! differs is found by following both definitions at once, from the functions that the component imports and exports. Each
//! named type is compared once, and its own difference is told, not that of everything that contains it.

use std::collections::HashSet;

use stagehost_runtime::{CONTRACT_VERSION, Finding};
use wit_parser::{Function, Handle, InterfaceId, PackageId, Resolve, Type, TypeDefKind, TypeId, WorldId, WorldItem};

use super::type_text::{definition, full_name, text};

/// Returns where the interfaces of a component's world differ from the contract's. Interfaces of other packages are not
/// compared, nor those that the contract does not have: the names say that already.
pub fn compare(contract: &Resolve, package: PackageId, component: &Resolve, world: WorldId) -> Vec<Finding> {
    let mut comparison = Comparison { contract, component, seen: HashSet::new(), findings: Vec::new() };
    let world = &component.worlds[world];
    for (items, imported) in [(&world.imports, true), (&world.exports, false)] {
        for item in items.values() {
            let WorldItem::Interface { id: theirs, .. } = item else { continue };
            let Some(ours) = counterpart(contract, package, component, *theirs) else { continue };
            comparison.interface(ours, *theirs, imported);
        }
    }
    comparison.findings
}

/// Returns the contract's interface of the same name.
fn counterpart(
    contract: &Resolve,
    package: PackageId,
    component: &Resolve,
    theirs: InterfaceId,
) -> Option<InterfaceId> {
    let theirs = &component.interfaces[theirs];
    let (ours, found) = (&contract.packages[package], &component.packages[theirs.package?].name);
    if (&found.namespace, &found.name) != (&ours.name.namespace, &ours.name.name) {
        return None;
    }
    ours.interfaces.get(theirs.name.as_deref()?).copied()
}

struct Comparison<'a> {
    contract: &'a Resolve,
    component: &'a Resolve,
    /// Pairs of named types that were compared.
    seen: HashSet<(TypeId, TypeId)>,
    findings: Vec<Finding>,
}

impl Comparison<'_> {
    /// Compares the functions that the component uses of an interface, or offers in it. An imported interface may have fewer
    /// functions than the contract, an exported one needs them all.
    fn interface(&mut self, ours: InterfaceId, theirs: InterfaceId, imported: bool) {
        let (contract, component) = (self.contract, self.component);
        let (ours, theirs) = (&contract.interfaces[ours], &component.interfaces[theirs]);
        let interface = ours.name.as_deref().unwrap_or_default();
        for (name, function) in &theirs.functions {
            match ours.functions.get(name) {
                Some(own) => self.function(interface, own, function),
                None if imported => self.findings.push(Finding {
                    item: format!("import {interface}.{name}"),
                    problem: format!("the contract {CONTRACT_VERSION} has no such function"),
                    fix: format!("do without it, or use a host with a later contract than {CONTRACT_VERSION}"),
                }),
                None => {}
            }
        }
        for name in ours.functions.keys().filter(|name| !imported && !theirs.functions.contains_key(*name)) {
            self.differs(format!("export {interface}.{name}"), "missing".to_owned());
        }
    }

    fn function(&mut self, interface: &str, ours: &Function, theirs: &Function) {
        let at = format!("{interface}.{}", ours.name);
        if ours.params.len() != theirs.params.len() {
            let problem =
                format!("yours takes {} parameters, the contract's {}", theirs.params.len(), ours.params.len());
            return self.differs(at, problem);
        }
        for (own, their) in ours.params.iter().zip(&theirs.params) {
            if own.name != their.name {
                let problem = format!("yours has the parameter `{}`, the contract `{}`", their.name, own.name);
                self.differs(at.clone(), problem);
            }
            self.types(&format!("{at}, parameter `{}`", own.name), &own.ty, &their.ty);
        }
        match (&ours.result, &theirs.result) {
            (Some(own), Some(their)) => self.types(&format!("{at}, result"), own, their),
            (None, None) => {}
            (own, their) => {
                let shown =
                    |resolve, ty: &Option<Type>| ty.as_ref().map_or("nothing".to_owned(), |ty| text(resolve, ty));
                let (their, own) = (shown(self.component, their), shown(self.contract, own));
                self.differs(at, format!("yours returns {their}, the contract's {own}"));
            }
        }
    }

    /// Compares two types that stand at the same place.
    fn types(&mut self, at: &str, ours: &Type, theirs: &Type) {
        let (contract, component) = (self.contract, self.component);
        let (Type::Id(own), Type::Id(their)) = (ours, theirs) else {
            if plain(contract, ours) != plain(component, theirs) {
                self.other_type(at, ours, theirs);
            }
            return;
        };
        let (own, their) = (definition(contract, *own), definition(component, *their));
        if !self.seen.insert((own, their)) {
            return;
        }
        let name = full_name(contract, own);
        let at = name.as_deref().unwrap_or(at);
        let optional = |this: &mut Self, own: &Option<Type>, their: &Option<Type>| match (own, their) {
            (Some(own), Some(their)) => this.types(at, own, their),
            (None, None) => {}
            _ => this.other_type(at, ours, theirs),
        };
        match (&contract.types[own].kind, &component.types[their].kind) {
            (TypeDefKind::Record(own), TypeDefKind::Record(their)) => {
                let own: Vec<_> = own.fields.iter().map(|field| (&*field.name, Some(field.ty))).collect();
                let their: Vec<_> = their.fields.iter().map(|field| (&*field.name, Some(field.ty))).collect();
                self.members(at, "field", &own, &their);
            }
            (TypeDefKind::Variant(own), TypeDefKind::Variant(their)) => {
                let own: Vec<_> = own.cases.iter().map(|case| (&*case.name, case.ty)).collect();
                let their: Vec<_> = their.cases.iter().map(|case| (&*case.name, case.ty)).collect();
                self.members(at, "case", &own, &their);
            }
            (TypeDefKind::Enum(own), TypeDefKind::Enum(their)) => {
                let own: Vec<_> = own.cases.iter().map(|case| (&*case.name, None)).collect();
                let their: Vec<_> = their.cases.iter().map(|case| (&*case.name, None)).collect();
                self.members(at, "case", &own, &their);
            }
            (TypeDefKind::Flags(own), TypeDefKind::Flags(their)) => {
                let own: Vec<_> = own.flags.iter().map(|flag| (&*flag.name, None)).collect();
                let their: Vec<_> = their.flags.iter().map(|flag| (&*flag.name, None)).collect();
                self.members(at, "flag", &own, &their);
            }
            (TypeDefKind::Option(own), TypeDefKind::Option(their))
            | (TypeDefKind::List(own), TypeDefKind::List(their)) => self.types(at, own, their),
            (TypeDefKind::Result(own), TypeDefKind::Result(their)) => {
                optional(self, &own.ok, &their.ok);
                optional(self, &own.err, &their.err);
            }
            (TypeDefKind::Tuple(own), TypeDefKind::Tuple(their)) if own.types.len() == their.types.len() => {
                for (own, their) in own.types.iter().zip(&their.types) {
                    self.types(at, own, their);
                }
            }
            (TypeDefKind::Handle(Handle::Own(own)), TypeDefKind::Handle(Handle::Own(their)))
            | (TypeDefKind::Handle(Handle::Borrow(own)), TypeDefKind::Handle(Handle::Borrow(their))) => {
                self.types(at, &Type::Id(*own), &Type::Id(*their));
            }
            (TypeDefKind::Resource, TypeDefKind::Resource) if full_name(component, their) == name => {}
            (TypeDefKind::Type(own), TypeDefKind::Type(their)) => self.types(at, own, their),
            _ => self.other_type(at, ours, theirs),
        }
    }

    /// Compares the fields, cases or flags of a named type. Their order is a part of it.
    fn members(&mut self, at: &str, kind: &str, ours: &[(&str, Option<Type>)], theirs: &[(&str, Option<Type>)]) {
        let missing = only_in(ours, theirs, self.contract);
        let added = only_in(theirs, ours, self.component);
        let mut problems = Vec::new();
        if !missing.is_empty() {
            problems.push(format!("yours lacks the {kind} {}", missing.join(", ")));
        }
        if !added.is_empty() {
            problems.push(format!("yours has the {kind} {}, which the contract does not have", added.join(", ")));
        }
        let order =
            |members: &[(&str, Option<Type>)]| members.iter().map(|(name, _)| format!("`{name}`")).collect::<Vec<_>>();
        if problems.is_empty() && order(ours) != order(theirs) {
            problems.push(format!(
                "yours has its {kind}s in the order {}, the contract {}",
                order(theirs).join(", "),
                order(ours).join(", ")
            ));
        }
        if !problems.is_empty() {
            self.differs(at.to_owned(), problems.join("; "));
        }
        for (name, own) in ours {
            let Some((_, their)) = theirs.iter().find(|(other, _)| other == name) else { continue };
            match (own, their) {
                (Some(own), Some(their)) => self.types(&format!("{at}, {kind} `{name}`"), own, their),
                (None, None) => {}
                (Some(_), None) => self.differs(at.to_owned(), format!("your {kind} `{name}` holds nothing")),
                (None, Some(_)) => self.differs(at.to_owned(), format!("the contract's {kind} `{name}` holds nothing")),
            }
        }
    }

    fn other_type(&mut self, at: &str, ours: &Type, theirs: &Type) {
        let problem =
            format!("yours is `{}`, the contract's `{}`", text(self.component, theirs), text(self.contract, ours));
        self.differs(at.to_owned(), problem);
    }

    fn differs(&mut self, item: String, problem: String) {
        let fix = format!("rebuild against the wit/ folder of this host, which has the contract {CONTRACT_VERSION}");
        let finding = Finding { item, problem, fix };
        if !self.findings.contains(&finding) {
            self.findings.push(finding);
        }
    }
}

/// Returns a type without a definition, whether it is written in place or behind a name.
fn plain(resolve: &Resolve, ty: &Type) -> Option<Type> {
    match ty {
        Type::Id(id) => match resolve.types[definition(resolve, *id)].kind {
            TypeDefKind::Type(of) => Some(of),
            _ => None,
        },
        other => Some(*other),
    }
}

/// Returns the members of `one` that `other` does not have, each with its type.
fn only_in(one: &[(&str, Option<Type>)], other: &[(&str, Option<Type>)], resolve: &Resolve) -> Vec<String> {
    let missing = one.iter().filter(|(name, _)| other.iter().all(|(other, _)| other != name));
    missing
        .map(|(name, ty)| match ty {
            Some(ty) => format!("`{name}: {}`", text(resolve, ty)),
            None => format!("`{name}`"),
        })
        .collect()
}
