//! Whether an expression can be trusted: what each of its parts is, before a ticket depends on it.
//!
//! The CEL library checks when it evaluates, where `&&` and `||` hide an error until the ticket comes
//! that meets it. Here every part has one kind, known beforehand, and names that do not exist are found.

use std::collections::BTreeSet;

use cel::{
    IdedExpr,
    common::ast::{
        CallExpr, ComprehensionExpr, Expr, LiteralValue, SourceInfo,
        operators::{EQUALS, IN, INDEX, NOT_EQUALS},
    },
};

use super::{
    CONDITION_DEPTH_MAX, InvalidCondition, Problem,
    facts::{ATTRIBUTES, INTENTS, VARIABLES, Variable},
    kind::{Kind, result, takes},
};

/// Checks an expression and returns the names of the attributes it reads.
pub(super) fn check(
    expression: &IdedExpr,
    places: &SourceInfo,
) -> Result<BTreeSet<String>, InvalidCondition> {
    let mut checker = Checker { places, attributes: BTreeSet::new(), element: None, depth: 0 };
    let kind = checker.kind(expression)?;
    if kind != Kind::Bool {
        return Err(checker.at(expression, Problem::NotBoolean { found: kind.label() }));
    }
    Ok(checker.attributes)
}

struct Checker<'a> {
    places: &'a SourceInfo,
    attributes: BTreeSet<String>,
    /// Name of an intent inside `exists` or `all`.
    element: Option<String>,
    depth: u16,
}

impl Checker<'_> {
    fn at(&self, node: &IdedExpr, problem: Problem) -> InvalidCondition {
        let (start, _) = self.places.offset_for(node.id).unwrap_or_default();
        let start = usize::try_from(start).unwrap_or_default();
        let before = self.places.source.get(..start).unwrap_or_default();
        let line = before.split('\n').count();
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        InvalidCondition { line, column, problem }
    }

    fn kind(&mut self, node: &IdedExpr) -> Result<Kind, InvalidCondition> {
        // Chains such as `a + b + …` are flat in the text and deep in the tree; parsing does not mind.
        if self.depth >= CONDITION_DEPTH_MAX {
            return Err(self.at(node, Problem::TooDeep { depth_max: CONDITION_DEPTH_MAX }));
        }
        self.depth += 1;
        let kind = match &node.expr {
            Expr::Literal(value) => literal(value).map_err(|problem| self.at(node, problem))?,
            Expr::Ident(name) => self.variable(name).map_err(|problem| self.at(node, problem))?,
            Expr::Select(select) => {
                if !is_attributes(&select.operand) {
                    // Of `ticket.plan`, say that there is no `ticket`.
                    self.kind(&select.operand)?;
                    return Err(self.at(node, only_attributes("a field of this")));
                }
                self.attributes.insert(select.field.clone());
                if select.test { Kind::Bool } else { Kind::Text }
            }
            Expr::List(list) => self.list(node, &list.elements)?,
            Expr::Call(call) => self.call(node, call)?,
            Expr::Comprehension(loop_) => self.comprehension(node, loop_)?,
            Expr::Map(_) | Expr::Struct(_) | Expr::Unspecified => {
                return Err(self.at(node, not_a_value("a map or message")));
            }
        };
        self.depth -= 1;
        Ok(kind)
    }

    fn variable(&self, name: &str) -> Result<Kind, Problem> {
        if self.element.as_deref() == Some(name) {
            return Ok(Kind::Text);
        }
        if name == ATTRIBUTES {
            return Err(only_attributes("`attributes` as a whole"));
        }
        find(name).map(|variable| variable.kind).ok_or_else(|| {
            let names = VARIABLES.iter().map(|variable| variable.name);
            let known: Vec<&str> = names.chain([ATTRIBUTES]).collect();
            Problem::UnknownVariable { name: name.to_owned(), known: known.join(", ") }
        })
    }

    fn list(&mut self, node: &IdedExpr, elements: &[IdedExpr]) -> Result<Kind, InvalidCondition> {
        let kinds = self.kinds(elements)?;
        if !kinds.is_empty() && kinds.iter().all(|kind| *kind == Kind::Text) {
            return Ok(Kind::Texts);
        }
        if !kinds.is_empty() && kinds.iter().all(|kind| kind.is_number()) {
            return Ok(Kind::Numbers);
        }
        let allowed = "a list has strings only or numbers only, and at least one";
        Err(self.at(node, Problem::NotAllowed { found: "this list", allowed }))
    }

    fn kinds(&mut self, nodes: &[IdedExpr]) -> Result<Vec<Kind>, InvalidCondition> {
        nodes.iter().map(|node| self.kind(node)).collect()
    }

    fn call(&mut self, node: &IdedExpr, call: &CallExpr) -> Result<Kind, InvalidCondition> {
        let name = call.func_name.as_str();
        if let Some(kind) = self.attribute(node, call)? {
            return Ok(kind);
        }
        let Some(takes) = takes(name, call.target.is_some()) else {
            return Err(self.at(node, Problem::UnknownFunction { name: name.to_owned() }));
        };
        let mut kinds = Vec::new();
        if let Some(target) = &call.target {
            kinds.push(self.kind(target)?);
        }
        kinds.extend(self.kinds(&call.args)?);
        if matches!(name, EQUALS | NOT_EQUALS | IN) {
            self.labels(&call.args)?;
        }
        result(name, &kinds).ok_or_else(|| {
            let found: Vec<&str> = kinds.iter().map(|kind| kind.label()).collect();
            let found = if found.is_empty() { "nothing".to_owned() } else { found.join(" and ") };
            self.at(node, Problem::Operands { name: shown(name), found, takes })
        })
    }

    /// Checks what reads an attribute. Its name is written out, so that we can say which are read.
    fn attribute(
        &mut self,
        node: &IdedExpr,
        call: &CallExpr,
    ) -> Result<Option<Kind>, InvalidCondition> {
        let (name, kind) = match (call.func_name.as_str(), call.args.as_slice()) {
            (INDEX, [map, name]) if is_attributes(map) => (name, Kind::Text),
            (IN, [name, map]) if is_attributes(map) => (name, Kind::Bool),
            _ => return Ok(None),
        };
        let Expr::Literal(LiteralValue::String(name)) = &name.expr else {
            return Err(self.at(node, only_attributes("a name that is computed")));
        };
        self.attributes.insert(name.inner().to_owned());
        Ok(Some(kind))
    }

    /// Checks that a variable is compared with labels it can have: another is a slip of the pen.
    fn labels(&self, args: &[IdedExpr]) -> Result<(), InvalidCondition> {
        let [left, right] = args else { return Ok(()) };
        for (variable, other) in [(left, right), (right, left)] {
            let Expr::Ident(name) = &variable.expr else { continue };
            let Some(variable) = find(name).filter(|variable| !variable.labels.is_empty()) else {
                continue;
            };
            let nodes = match &other.expr {
                Expr::List(list) => list.elements.as_slice(),
                _ => std::slice::from_ref(other),
            };
            for node in nodes {
                let Expr::Literal(LiteralValue::String(label)) = &node.expr else { continue };
                if !variable.labels.contains(&label.inner()) {
                    let label = label.inner().to_owned();
                    let allowed = variable.labels.join(", ");
                    let variable = variable.name;
                    return Err(self.at(node, Problem::UnknownLabel { variable, label, allowed }));
                }
            }
        }
        Ok(())
    }

    /// Checks `intents.exists(x, …)` and `intents.all(x, …)`. Of other macros, and of these inside each
    /// other, the cost would grow with the product of the lists.
    fn comprehension(
        &mut self,
        node: &IdedExpr,
        loop_: &ComprehensionExpr,
    ) -> Result<Kind, InvalidCondition> {
        let macros = "there are intents.exists(x, …) and intents.all(x, …), outside each other";
        let refused = Problem::NotAllowed { found: "this macro", allowed: macros };
        let over_intents = matches!(&loop_.iter_range.expr, Expr::Ident(name) if name == INTENTS);
        let (Expr::Literal(LiteralValue::Boolean(_)), Expr::Call(step), true, None) =
            (&loop_.accu_init.expr, &loop_.loop_step.expr, over_intents, &self.element)
        else {
            return Err(self.at(node, refused));
        };
        let [_, predicate] = step.args.as_slice() else { return Err(self.at(node, refused)) };
        let element = loop_.iter_var.as_str();
        if element.starts_with('.') || element == ATTRIBUTES || find(element).is_some() {
            let allowed = "the variable of a macro has a name of its own";
            return Err(self.at(node, Problem::NotAllowed { found: "this name", allowed }));
        }
        self.element = Some(element.to_owned());
        let kind = self.kind(predicate)?;
        self.element = None;
        if kind != Kind::Bool {
            return Err(self.at(predicate, Problem::NotBoolean { found: kind.label() }));
        }
        Ok(Kind::Bool)
    }
}

fn find(name: &str) -> Option<&'static Variable> {
    VARIABLES.iter().find(|variable| variable.name == name)
}

fn is_attributes(node: &IdedExpr) -> bool {
    matches!(&node.expr, Expr::Ident(name) if name == ATTRIBUTES)
}

const fn only_attributes(found: &'static str) -> Problem {
    let allowed = "attributes are read by a name that is written out: attributes.plan, \
                   attributes[\"plan\"], has(attributes.plan), \"plan\" in attributes";
    Problem::NotAllowed { found, allowed }
}

const fn not_a_value(found: &'static str) -> Problem {
    Problem::NotAllowed { found, allowed: "values are bool, int, double, string and lists" }
}

fn literal(value: &LiteralValue) -> Result<Kind, Problem> {
    match value {
        LiteralValue::Boolean(_) => Ok(Kind::Bool),
        LiteralValue::Int(_) => Ok(Kind::Int),
        LiteralValue::Double(_) => Ok(Kind::Double),
        LiteralValue::String(_) => Ok(Kind::Text),
        LiteralValue::Null => Err(not_a_value("null")),
        LiteralValue::UInt(_) => Err(not_a_value("an unsigned number")),
        LiteralValue::Bytes(_) => Err(not_a_value("a value of bytes")),
    }
}

/// Returns an operator as it is written.
fn shown(name: &str) -> String {
    name.chars().filter(|char| !"_@".contains(*char)).collect()
}
