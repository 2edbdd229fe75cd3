//! Collections that are written: made where they are missing, and their direct membership rules added and taken back. Rules
//! that others made are never touched: those of a writer have its mark in their names.

use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

use crate::client::Client;
use crate::collections::Collection;
use crate::odata::{Key, Pages, Record, quoted};
use crate::problem::{Part, Problem};
use crate::sites::text;

/// Build 9068 is version 2111: the first whose administration service takes membership rules.
pub const LEAST_BUILD_TO_WRITE: u32 = 9068;
/// Every system of the hierarchy: what new collections are limited to where nothing else is said.
pub const ALL_SYSTEMS: &str = "SMS00001";
const CLASS: &str = "SMS_CollectionRuleDirect";
const RESOURCES: &str = "SMS_R_System";
/// Rules of one request.
const BATCH: usize = 200;

/// A device that can be a member of a collection.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Resource {
    #[serde(rename = "ResourceID")]
    pub id: u64,
    /// The computer's NetBIOS name.
    #[serde(rename = "Name", default, deserialize_with = "text")]
    pub name: String,
    /// An old record of a computer that has a newer one.
    #[serde(rename = "IsObsolete", default, deserialize_with = "flag")]
    pub is_obsolete: bool,
}

/// True or 1; null is false.
fn flag<'de, D: Deserializer<'de>>(value: D) -> Result<bool, D::Error> {
    let value = Value::deserialize(value)?;
    Ok(value == json!(true) || value == json!(1))
}

impl Record for Resource {
    const CLASS: &'static str = "SMS_FullCollectionMembership";
    const SELECT: &'static str = "ResourceID,Name,IsObsolete";
    const KEY: &'static str = "ResourceID";

    fn key(&self) -> Key {
        Key::Number(self.id)
    }
}

/// A rule that makes a device a member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirectRule {
    pub resource: u64,
    /// What people see of it.
    pub name: String,
}

impl DirectRule {
    fn json(&self) -> Value {
        json!({
            "@odata.type": format!("#AdminService.{CLASS}"),
            "ResourceClassName": RESOURCES,
            "ResourceID": self.resource,
            "RuleName": self.name,
        })
    }
}

#[derive(Deserialize)]
struct Whole {
    #[serde(rename = "CollectionRules", default)]
    rules: Option<Vec<RuleRecord>>,
}

#[derive(Deserialize)]
struct RuleRecord {
    #[serde(rename = "@odata.type", default, deserialize_with = "text")]
    kind: String,
    #[serde(rename = "__CLASS", default, deserialize_with = "text")]
    class: String,
    #[serde(rename = "RuleName", default, deserialize_with = "text")]
    name: String,
    #[serde(rename = "ResourceID", default)]
    resource: Option<u64>,
}

impl RuleRecord {
    fn direct(self) -> Option<DirectRule> {
        let is_direct = self.class == CLASS || self.kind.rsplit('.').next() == Some(CLASS);
        is_direct.then_some(DirectRule { resource: self.resource?, name: self.name })
    }
}

impl Client {
    /// The device collection of a name.
    ///
    /// # Errors
    /// When the service cannot be asked.
    pub async fn collection_named(&self, name: &str) -> Result<Option<Collection>, Problem> {
        let filter = format!("Name eq {} and CollectionType eq 2", quoted(name));
        Ok(self.list(Collection::CLASS, &filter, Collection::SELECT).await?.into_iter().next())
    }

    /// The device collection of an id.
    ///
    /// # Errors
    /// When the service cannot be asked.
    pub async fn collection_of(&self, id: &str) -> Result<Option<Collection>, Problem> {
        let filter = format!("CollectionID eq {} and CollectionType eq 2", quoted(id));
        Ok(self.list(Collection::CLASS, &filter, Collection::SELECT).await?.into_iter().next())
    }

    /// Makes a device collection; gives its id.
    ///
    /// # Errors
    /// When the account may not, or the service cannot.
    pub async fn create_collection(&self, name: &str, limiting: &str, comment: &str) -> Result<String, Problem> {
        let body = json!({
            "Name": name, "Comment": comment, "CollectionType": 2, "LimitToCollectionID": limiting,
        });
        let bytes = self.post("wmi/SMS_Collection", &body).await.map_err(|problem| self.may_not(problem, name))?;
        let made: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        // the record itself, or a list with it
        let id = made["CollectionID"].as_str().or(made["value"][0]["CollectionID"].as_str());
        id.map(str::to_owned).ok_or_else(|| {
            let message = format!("the collection {name:?} was made and its id did not come back");
            Problem::new(Part::Answer, message, "it is found by its name with the next try")
        })
    }

    /// The direct membership rules of a collection.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn direct_rules(&self, collection: &str) -> Result<Vec<DirectRule>, Problem> {
        // rules come with one whole collection alone, not with lists
        let class = format!("SMS_Collection({})", quoted(collection));
        let whole = self.list::<Whole>(&class, "", "").await?.into_iter().next().ok_or_else(|| {
            let message = format!("the collection {collection} is not there any more");
            Problem::new(Part::Collection, message, "it is made anew with the next try")
        })?;
        Ok(whole.rules.unwrap_or_default().into_iter().filter_map(RuleRecord::direct).collect())
    }

    /// The devices of a collection.
    #[must_use]
    pub fn resources(&self, collection: &str) -> Pages<'_, Resource> {
        self.pages(format!("CollectionID eq {}", quoted(collection)), None)
    }

    /// Adds rules to a collection.
    ///
    /// # Errors
    /// When not all of them may be there: those that are have to be read again.
    pub async fn add_rules(&self, collection: &str, rules: &[DirectRule]) -> Result<(), Problem> {
        self.change_rules(collection, "AddMembershipRule", rules).await
    }

    /// Takes rules of a collection back.
    ///
    /// # Errors
    /// When some of them may still be there.
    pub async fn delete_rules(&self, collection: &str, rules: &[DirectRule]) -> Result<(), Problem> {
        self.change_rules(collection, "DeleteMembershipRule", rules).await
    }

    async fn change_rules(&self, collection: &str, method: &str, rules: &[DirectRule]) -> Result<(), Problem> {
        for batch in rules.chunks(BATCH) {
            let all: Vec<Value> = batch.iter().map(DirectRule::json).collect();
            let many = self.call(collection, &format!("{method}s"), &json!({"collectionRules": all})).await;
            match many {
                Ok(()) => {}
                // a service that takes them one by one
                Err(problem) if matches!(problem.status, Some(400 | 404 | 405 | 501)) && problem.part != Part::Role => {
                    for rule in all {
                        self.call(collection, method, &json!({"collectionRule": rule})).await?;
                    }
                }
                Err(problem) => return Err(problem),
            }
        }
        Ok(())
    }

    /// Has the site find out the members of a collection from its rules.
    ///
    /// # Errors
    /// When the service cannot be asked.
    pub async fn refresh_collection(&self, collection: &str) -> Result<(), Problem> {
        self.call(collection, "RequestRefresh", &json!({})).await
    }

    async fn call(&self, collection: &str, method: &str, body: &Value) -> Result<(), Problem> {
        let path = format!("wmi/SMS_Collection({})/AdminService.{method}", quoted(collection));
        let bytes = self.post(&path, body).await.map_err(|problem| self.may_not(problem, collection))?;
        let answer: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        match answer["ReturnValue"].as_i64() {
            None | Some(0) => Ok(()),
            Some(number) => {
                let message =
                    format!("the site refuses {method} of the collection {collection} (return value {number})");
                Err(Problem::new(Part::Collection, message, "look at smsprov.log on the SMS Provider"))
            }
        }
    }

    /// What a refusal means to who writes.
    fn may_not(&self, problem: Problem, collection: &str) -> Problem {
        if problem.part != Part::Role {
            return problem;
        }
        let (who, origin) = (self.settings.sign_in.who(), self.place.origin());
        Problem {
            message: format!("{who} may not change the collection {collection:?} at {origin}"),
            advice: "give the administrative user a security role with the permissions Read, Read resource, Create and \
                     Modify of the class Collection, and the limiting collection in its scope (console, Administration, \
                     Security, Administrative Users)"
                .to_owned(),
            ..problem
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_direct_rule_is_told_from_the_others() {
        let record = |text: Value| serde_json::from_value::<RuleRecord>(text).unwrap().direct();
        let rule = DirectRule { resource: 7, name: "PC7".to_owned() };
        assert_eq!(record(rule.json()), Some(rule.clone()));
        assert_eq!(record(json!({"__CLASS": CLASS, "RuleName": "PC7", "ResourceID": 7})), Some(rule));
        let query = json!({"@odata.type": "#AdminService.SMS_CollectionRuleQuery", "RuleName": "q", "QueryID": 5});
        assert_eq!(record(query), None);
    }
}
