//! The fields of work items and their columns in `ServiceDesk_CL` (ITSM Connector, "Data synced from your ITSM
//! product").

use serde::{Deserialize, Serialize};

use crate::work_item::WorkItemKind;

/// A field of a work item, besides its name, number, time of change and computer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Field {
    State,
    Urgency,
    Impact,
    Priority,
    Escalation,
    CreatedBy,
    ResolvedBy,
    ClosedBy,
    Source,
    AssignedTo,
    Category,
    Title,
    Description,
    Type,
    ConflictStatus,
    Risk,
    CreatedDate,
    ClosedDate,
    ResolvedDate,
    RequestedDate,
    PlannedStartDate,
    PlannedEndDate,
    WorkStartDate,
    WorkEndDate,
}

/// Those of an incident, with their columns.
pub const INCIDENT_FIELDS: [(Field, &str); 16] = [
    (Field::State, "IncidentState_s"),
    (Field::Urgency, "Urgency_s"),
    (Field::Impact, "Impact_s"),
    (Field::Priority, "Priority_s"),
    (Field::Escalation, "Escalation_s"),
    (Field::CreatedBy, "CreatedBy_s"),
    (Field::ResolvedBy, "ResolvedBy_s"),
    (Field::ClosedBy, "ClosedBy_s"),
    (Field::Source, "Source_s"),
    (Field::AssignedTo, "AssignedTo_s"),
    (Field::Category, "Category_s"),
    (Field::Title, "Title_s"),
    (Field::Description, "Description_s"),
    (Field::CreatedDate, "CreatedDate_t"),
    (Field::ClosedDate, "ClosedDate_t"),
    (Field::ResolvedDate, "ResolvedDate_t"),
];

/// Those of a change request, with their columns.
pub const CHANGE_REQUEST_FIELDS: [(Field, &str); 22] = [
    (Field::CreatedBy, "CreatedBy_s"),
    (Field::ClosedBy, "ClosedBy_s"),
    (Field::Source, "Source_s"),
    (Field::AssignedTo, "AssignedTo_s"),
    (Field::Title, "Title_s"),
    (Field::Type, "Type_s"),
    (Field::Category, "Category_s"),
    (Field::State, "CRState_s"),
    (Field::Escalation, "Escalation_s"),
    (Field::ConflictStatus, "ConflictStatus_s"),
    (Field::Urgency, "Urgency_s"),
    (Field::Priority, "Priority_s"),
    (Field::Risk, "Risk_s"),
    (Field::Impact, "Impact_s"),
    (Field::CreatedDate, "CreatedDate_t"),
    (Field::ClosedDate, "ClosedDate_t"),
    (Field::RequestedDate, "RequestedDate_t"),
    (Field::PlannedStartDate, "PlannedStartDate_t"),
    (Field::PlannedEndDate, "PlannedEndDate_t"),
    (Field::WorkStartDate, "WorkStartDate_t"),
    (Field::WorkEndDate, "WorkEndDate_t"),
    (Field::Description, "Description_s"),
];

/// The fields of a kind, with their columns.
#[must_use]
pub fn fields_of(kind: WorkItemKind) -> &'static [(Field, &'static str)] {
    match kind {
        WorkItemKind::Incident => &INCIDENT_FIELDS,
        WorkItemKind::ChangeRequest => &CHANGE_REQUEST_FIELDS,
    }
}
