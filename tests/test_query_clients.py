"""The real client libraries of Log Analytics and Kusto against the running product."""

from datetime import timedelta

import pytest
from azure.core.exceptions import HttpResponseError
from azure.core.pipeline.transport import RequestsTransport
from azure.identity import ClientSecretCredential
from azure.kusto.data import ClientRequestProperties, KustoClient, KustoConnectionStringBuilder
from azure.kusto.data.exceptions import KustoApiError
from azure.monitor.query import LogsBatchQuery, LogsQueryClient, LogsQueryStatus

from conftest import wait_until


@pytest.fixture(scope="module")
def credential(product):
    return ClientSecretCredential(
        tenant_id=product.ready["tenant_id"], client_id=product.ready["client_id"],
        client_secret=product.ready["client_secret"], authority=product.url,
        disable_instance_discovery=True, connection_verify=product.ready["ca_file"],
    )


@pytest.fixture(scope="module")
def logs(product, credential):
    return LogsQueryClient(credential, endpoint=product.url, transport=RequestsTransport(connection_verify=product.ready["ca_file"]))


def test_the_logs_client_sees_this_machines_heartbeat(product, logs):
    workspace = product.ready["workspace_id"]
    rows = wait_until(
        lambda: logs.query_workspace(workspace, "Heartbeat | take 10", timespan=timedelta(hours=1)).tables[0].rows,
        60, "a heartbeat",
    )
    columns = logs.query_workspace(workspace, "Heartbeat | take 1", timespan=None).tables[0].columns
    assert "Computer" in columns and "OSType" in columns
    assert rows[0]["TimeGenerated"].tzinfo is not None


def test_the_logs_client_gets_statistics_and_render(product, logs):
    result = logs.query_workspace(
        product.ready["workspace_id"], "range x from 1 to 3 step 1 | extend y = x * x | render columnchart",
        timespan=None, include_statistics=True, include_visualization=True,
    )
    assert result.status == LogsQueryStatus.SUCCESS
    assert [list(row) for row in result.tables[0].rows] == [[1, 1], [2, 4], [3, 9]]
    assert result.visualization["visualization"] == "columnchart"
    assert result.statistics["query"]["executionTime"] >= 0


def test_the_logs_client_batches(product, logs):
    workspace = product.ready["workspace_id"]
    answers = logs.query_batch([
        LogsBatchQuery(workspace, "print a = 1", timespan=None),
        LogsBatchQuery(workspace, "print a = nosuchthing", timespan=None),
    ])
    assert answers[0].tables[0].rows[0]["a"] == 1
    assert answers[1].status == LogsQueryStatus.FAILURE
    assert "nosuchthing" in str(answers[1].message) + str(answers[1].details)


def test_a_wrong_query_names_the_place(product, logs):
    with pytest.raises(HttpResponseError) as error:
        logs.query_workspace(product.ready["workspace_id"], "Heartbeat | where Computr == 'x'", timespan=None)
    assert error.value.status_code == 400
    assert "Computr" in str(error.value)


def test_a_wrong_secret_is_refused(product):
    from azure.core.exceptions import ClientAuthenticationError

    wrong = ClientSecretCredential(
        tenant_id=product.ready["tenant_id"], client_id=product.ready["client_id"], client_secret="not the secret",
        authority=product.url, disable_instance_discovery=True, connection_verify=product.ready["ca_file"],
    )
    with pytest.raises(ClientAuthenticationError) as error:
        wrong.get_token("https://api.loganalytics.io/.default")
    assert "AADSTS7000215" in str(error.value)


@pytest.fixture(scope="module")
def kusto(product, credential):
    connection = KustoConnectionStringBuilder.with_token_provider(
        product.url, lambda: credential.get_token(f"{product.url}/.default").token)
    client = KustoClient(connection)
    client._session.trust_env = False
    client._session.verify = product.ready["ca_file"]
    yield client
    client.close()


def test_the_kusto_client_queries_with_both_versions(product, kusto):
    database = product.ready["workspace_id"]
    result = kusto.execute_query(database, "print a = 1, b = 'x', c = 1d, d = dynamic({'k': [1, 2]}), e = datetime(2024-01-02)").primary_results[0]
    row = result[0]
    assert (row["a"], row["b"], row["c"], row["d"]) == (1, "x", timedelta(days=1), {"k": [1, 2]})
    assert row["e"].year == 2024
    assert kusto.execute_mgmt(database, ".show tables").primary_results[0].rows_count > 0


def test_the_kusto_client_passes_parameters(product, kusto):
    properties = ClientRequestProperties()
    properties.set_parameter("limit", "3")
    result = kusto.execute_query(
        product.ready["workspace_id"],
        "declare query_parameters(limit:long); range x from 1 to 10 step 1 | where x <= limit | count", properties,
    ).primary_results[0]
    assert result[0][0] == 3


def test_the_kusto_client_sees_the_error(product, kusto):
    with pytest.raises(KustoApiError) as error:
        kusto.execute_query(product.ready["workspace_id"], "nosuchtable | take 1")
    assert "nosuchtable" in str(error.value)
