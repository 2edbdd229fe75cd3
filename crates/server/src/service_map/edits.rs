//! What people change of a view: members that they put in have a source of their own, members that they took out are
//! left out of the next synchronizations.

use watchkeeper_management::clock;
use watchkeeper_model::ids::ObjectId;
use watchkeeper_model::objects::{Discovered, Mode};
use watchkeeper_state::{MapEdit, StateError};

use super::ServiceMaps;
use super::build::ViewDocument;
use super::objects::{membership, of_edits, of_import};

impl ServiceMaps {
    /// A view with its connection; `None`: the object is none.
    pub async fn view(&self, view: ObjectId) -> Result<Option<(String, ViewDocument)>, StateError> {
        let Some((connection, document)) = self.group.state().map_view(&view.to_string()).await? else {
            return Ok(None);
        };
        let document = serde_json::from_str(&document)
            .map_err(|source| StateError::Document { what: "dependency view", source })?;
        Ok(Some((connection, document)))
    }

    /// Puts a member into a view, or takes one out; false where the object is no view.
    pub async fn edit(&self, view: ObjectId, member: ObjectId, added: bool, who: &str) -> Result<bool, StateError> {
        let _writing = self.writing.lock().await;
        let Some((connection, document)) = self.view(view).await? else { return Ok(false) };
        let (view_id, member_id) = (view.to_string(), member.to_string());
        let state = self.group.state();
        let is_of_map = document.members.contains_key(&member_id);
        if is_of_map == added {
            // as the map has it
            state.delete_map_edit(&view_id, &member_id).await?;
        } else {
            let edit = MapEdit {
                view_id,
                member_id,
                connection_id: connection.clone(),
                added,
                changed_by: who.to_owned(),
                changed_at: clock::now(),
            };
            state.put_map_edit(&edit).await?;
        }
        if is_of_map {
            let link = Discovered { links: vec![membership(view, member)], ..Discovered::default() };
            let mode = if added { Mode::Add } else { Mode::Remove };
            self.apply(vec![(of_import(&connection), link, mode)]).await?;
        }
        let edits = state.map_edits(&connection).await?;
        self.apply_added(&[view], &edits).await?;
        Ok(true)
    }

    /// Has exactly those members in views that people put there and that are objects now.
    pub(super) async fn apply_added(&self, views: &[ObjectId], edits: &[MapEdit]) -> Result<(), StateError> {
        let mut finds = Vec::new();
        {
            let space = self.group.read();
            for view in views {
                let id = view.to_string();
                let added = edits.iter().filter(|edit| edit.added && edit.view_id == id);
                let members = added.filter_map(|edit| uuid::Uuid::try_parse(&edit.member_id).ok()).map(ObjectId);
                let links = members
                    .filter(|member| space.objects.get(*member).is_some())
                    .map(|member| membership(*view, member))
                    .collect();
                finds.push((of_edits(*view), Discovered { links, ..Discovered::default() }, Mode::Snapshot));
            }
        }
        self.apply(finds).await
    }
}
