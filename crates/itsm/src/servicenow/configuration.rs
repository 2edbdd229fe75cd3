//! What an instance offers: templates, choices of fields, users, groups.

use std::collections::BTreeMap;

use super::ServiceNow;
use super::table::{shown, value};
use crate::configuration::{Choice, Configuration, FieldChoices, Person, Template};
use crate::problem::{Part, Problem};

const PAGE: u32 = 1000;
/// No form offers more.
const MOST: usize = 20_000;
const CHOSEN: &str = "state,urgency,impact,priority,category,subcategory,contact_type,escalation,close_code,type,risk";

impl ServiceNow {
    pub(super) async fn read_configuration(&self) -> Result<Configuration, Problem> {
        let mut configuration = Configuration::default();
        let templates = "active=true^tableINincident,em_event,em_alert^ORDERBYname^ORDERBYsys_id";
        for row in self.all("sys_template", templates, &["name", "table", "template"]).await? {
            let fields = template_fields(value(&row, "template"));
            let (name, table) = (value(&row, "name").to_owned(), value(&row, "table").to_owned());
            configuration.templates.push(Template { name, table, fields });
        }
        let choices = format!(
            "nameINtask,incident,change_request^elementIN{CHOSEN}^inactive=false^language=en\
             ^ORDERBYname^ORDERBYelement^ORDERBYsequence^ORDERBYsys_id"
        );
        let mut fields: BTreeMap<(String, String), Vec<Choice>> = BTreeMap::new();
        for row in self.all("sys_choice", &choices, &["name", "element", "value", "label"]).await? {
            let place = (value(&row, "name").to_owned(), value(&row, "element").to_owned());
            let choice = Choice { value: value(&row, "value").to_owned(), label: value(&row, "label").to_owned() };
            fields.entry(place).or_default().push(choice);
        }
        configuration.fields = fields
            .into_iter()
            .map(|((table, name), choices)| FieldChoices { label: name.clone(), name, table, choices })
            .collect();
        configuration.users = self.people("sys_user").await?;
        configuration.groups = self.people("sys_user_group").await?;
        Ok(configuration)
    }

    async fn people(&self, table: &str) -> Result<Vec<Person>, Problem> {
        let rows = self.all(table, "active=true^ORDERBYname^ORDERBYsys_id", &["sys_id", "name"]).await?;
        let person = |row: &serde_json::Value| Person {
            id: value(row, "sys_id").to_owned(),
            name: shown(row, "name").to_owned(),
        };
        Ok(rows.iter().map(person).collect())
    }

    /// All rows of a query; none where the user may not read the table: the test of the connection has said so.
    async fn all(&self, table: &str, query: &str, fields: &[&str]) -> Result<Vec<serde_json::Value>, Problem> {
        let mut rows = Vec::new();
        loop {
            let offset = u32::try_from(rows.len()).unwrap_or(u32::MAX);
            let found = match self.table_page(table, query, fields, PAGE, offset).await {
                Err(problem) if problem.part == Part::Role => return Ok(Vec::new()),
                found => found?,
            };
            let count = found.rows.len();
            rows.extend(found.rows);
            if count < PAGE as usize || rows.len() >= MOST {
                return Ok(rows);
            }
        }
    }
}

/// `impact=1^urgency=1^EQ`
pub fn template_fields(text: &str) -> BTreeMap<String, String> {
    let pairs = text.split('^').filter_map(|part| part.split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_is_fields_with_values() {
        let fields = template_fields("impact=1^short_description=a=b^EQ");
        assert_eq!(fields["impact"], "1");
        assert_eq!(fields["short_description"], "a=b");
        assert_eq!(fields.len(), 2);
    }
}
