#Requires -Version 5.1
<#
.SYNOPSIS
  The web application between Watchkeeper and System Center Service Manager: work items are read, incidents made and changed.

.DESCRIPTION
  Serves version 1 of the contract in docs/itsm.md on the Service Manager management server, over HTTPS, with the cmdlets of
  SMLets (https://www.powershellgallery.com/packages/SMLets). One request at a time: that an alert has one incident needs no
  other lock. Incidents of alerts carry "Watchkeeper alert: ID" as the last line of their description.

.EXAMPLE
  .\Watchkeeper.ServiceManager.ps1 -Install -Port 8724 -CertificateThumbprint 3F2A… -Account CONTOSO\svc-watchkeeper
  Shows URL, client ID and client secret for the connection's form, once, and runs at every start of the machine.

.EXAMPLE
  .\Watchkeeper.ServiceManager.ps1 -NewSecret
  Makes another client secret.
#>
[CmdletBinding(DefaultParameterSetName = 'Run')]
param(
    [Parameter(ParameterSetName = 'Install', Mandatory)] [switch] $Install,
    [Parameter(ParameterSetName = 'NewSecret', Mandatory)] [switch] $NewSecret,
    [Parameter(ParameterSetName = 'Install')] [int] $Port = 8724,
    # Of a certificate in LocalMachine\My for this server's full name.
    [Parameter(ParameterSetName = 'Install', Mandatory)] [string] $CertificateThumbprint,
    # Runs the script; a member of the user role Advanced Operators.
    [Parameter(ParameterSetName = 'Install', Mandatory)] [string] $Account,
    # Where people see an incident; {0} is its number. For instance https://portal.contoso.com/Incident/Edit/{0}/
    [Parameter(ParameterSetName = 'Install')] [string] $PortalUrl = '',
    # The Service Manager management server, where it is another machine.
    [string] $ComputerName = 'localhost',
    [string] $Settings = (Join-Path $env:ProgramData 'Watchkeeper\ServiceManager.json')
)
Set-StrictMode -Version 2
$ErrorActionPreference = 'Stop'
$Contract = 1
$Base = '/watchkeeper/v1'
$Mark = 'Watchkeeper alert: '
$TokenLife = 1800
$Task = 'Watchkeeper Service Manager web application'

function New-RandomText([int] $Bytes) {
    $buffer = New-Object byte[] $Bytes
    $random = [Security.Cryptography.RandomNumberGenerator]::Create()
    $random.GetBytes($buffer)
    [Convert]::ToBase64String($buffer).TrimEnd('=').Replace('+', '-').Replace('/', '_')
}

function Get-Digest([string] $Text) {
    $bytes = [Security.Cryptography.SHA256]::Create().ComputeHash([Text.Encoding]::UTF8.GetBytes($Text))
    [BitConverter]::ToString($bytes)
}

function Save-Settings($Value) {
    $folder = Split-Path $Settings
    if (-not (Test-Path $folder)) { New-Item -ItemType Directory $folder | Out-Null }
    $Value | ConvertTo-Json | Set-Content -Encoding UTF8 $Settings
    # the digest of the secret is for administrators and the account alone
    & icacls $Settings /inheritance:r /grant:r '*S-1-5-32-544:F' "$($Value.account):R" | Out-Null
}

if ($Install) {
    if (-not (Get-Module -ListAvailable SMLets)) { throw 'the module SMLets is missing: Install-Module SMLets' }
    $secret = New-RandomText 32
    $value = [ordered]@{ clientId = [guid]::NewGuid().ToString(); secret = Get-Digest $secret; port = $Port; account = $Account; portalUrl = $PortalUrl; computer = $ComputerName }
    Save-Settings ([pscustomobject] $value)
    & netsh http add urlacl "url=https://+:$Port$Base/" "user=$Account" | Out-Null
    & netsh http delete sslcert "ipport=0.0.0.0:$Port" | Out-Null
    & netsh http add sslcert "ipport=0.0.0.0:$Port" "certhash=$CertificateThumbprint" "appid={$([guid]::NewGuid())}" | Out-Null
    if ($LASTEXITCODE -ne 0) { throw "the certificate $CertificateThumbprint cannot be bound to port ${Port}: it has to be in LocalMachine\My with its key" }
    $credential = Get-Credential -UserName $Account -Message 'The password of the account that the web application runs under'
    $action = New-ScheduledTaskAction -Execute 'powershell.exe' -Argument "-NoProfile -ExecutionPolicy Bypass -File `"$PSCommandPath`" -Settings `"$Settings`""
    $keep = New-ScheduledTaskSettingsSet -RestartCount 999 -RestartInterval (New-TimeSpan -Minutes 1) -ExecutionTimeLimit ([TimeSpan]::Zero)
    Register-ScheduledTask -TaskName $Task -Action $action -Trigger (New-ScheduledTaskTrigger -AtStartup) -Settings $keep -Force `
        -User $Account -Password $credential.GetNetworkCredential().Password | Out-Null
    Start-ScheduledTask $Task
    [pscustomobject]@{ URL = "https://$([Net.Dns]::GetHostEntry('').HostName):$Port"; 'Client ID' = $value.clientId; 'Client secret' = $secret }
    return
}
$config = Get-Content -Raw $Settings | ConvertFrom-Json
if ($NewSecret) {
    $secret = New-RandomText 32
    $config.secret = Get-Digest $secret
    Save-Settings $config
    Stop-ScheduledTask $Task
    Start-ScheduledTask $Task
    [pscustomobject]@{ 'Client ID' = $config.clientId; 'Client secret' = $secret }
    return
}

Import-Module SMLets
$sm = @{ ComputerName = $config.computer }
$classes = @{ Incident = 'System.WorkItem.Incident$'; ChangeRequest = 'System.WorkItem.ChangeRequest$' }
$relations = @{}
$tokens = @{}
$levels = @{ 1 = 'High'; 2 = 'Medium'; 3 = 'Low' }

# An answer that ends the work on a request.
class Refusal : Exception {
    [int] $Status; [string] $Code
    Refusal([int] $status, [string] $code, [string] $message) : base($message) { $this.Status = $status; $this.Code = $code }
}

function Get-Class([string] $Kind) {
    if (-not $classes.ContainsKey($Kind)) { throw [Refusal]::new(404, 'UnknownRoute', "there is no kind of work items $Kind") }
    Get-SCSMClass -Name $classes[$Kind] @sm
}

# What Service Manager knows an object by; the property Id of work items is their number.
function Get-Key($Object) { $Object.get_Id().ToString().ToLowerInvariant() }

function Get-Related($Object, [string] $Relation) {
    if (-not $relations.ContainsKey($Relation)) { $relations[$Relation] = Get-SCSMRelationshipClass "$Relation`$" @sm }
    $found = @(Get-SCSMRelationshipObject -BySource $Object -Filter "RelationshipId -eq '$($relations[$Relation].Id)'" @sm | Where-Object { -not $_.IsDeleted })
    $found | ForEach-Object { $_.TargetObject }
}

function Get-Text($Object, [string] $Property) {
    if ($null -eq $Object.PSObject.Properties[$Property]) { return '' }
    $value = $Object.$Property
    if ($null -eq $value) { return '' }
    # an enumeration is shown as people see it
    if ($value.PSObject.Properties['DisplayName']) { return [string] $value.DisplayName }
    [string] $value
}

function Get-Time($Object, [string] $Property) {
    if ($null -eq $Object.PSObject.Properties[$Property] -or $null -eq $Object.$Property) { return $null }
    # Service Manager keeps times in UTC
    ([DateTime]::SpecifyKind($Object.$Property, 'Utc')).ToString('yyyy-MM-ddTHH:mm:ss.fffZ', [Globalization.CultureInfo]::InvariantCulture)
}

function Get-Modified($Object) {
    ([DateTime]::SpecifyKind($Object.LastModified, 'Utc')).ToString('yyyy-MM-ddTHH:mm:ss.fffZ', [Globalization.CultureInfo]::InvariantCulture)
}

function Get-Person($Object, [string] $Relation) {
    $found = @(Get-Related $Object $Relation)
    if ($found.Count -gt 0) { [string] $found[0].DisplayName } else { '' }
}

function ConvertTo-WorkItem($Object, [string] $Kind) {
    $item = [ordered]@{
        id = Get-Key $Object; number = [string] $Object.Name; lastModified = Get-Modified $Object
        state = Get-Text $Object 'Status'; urgency = Get-Text $Object 'Urgency'; impact = Get-Text $Object 'Impact'
        priority = Get-Text $Object 'Priority'; title = Get-Text $Object 'Title'; description = Get-Text $Object 'Description'
        created = Get-Time $Object 'CreatedDate'; closed = Get-Time $Object 'ClosedDate'
        createdBy = Get-Person $Object 'System.WorkItemCreatedByUser'; assignedTo = Get-Person $Object 'System.WorkItemAssignedToUser'
        configurationItems = @(Get-Related $Object 'System.WorkItemAboutConfigItem' | ForEach-Object { [string] $_.DisplayName })
    }
    if ($Kind -eq 'Incident') {
        $item.source = Get-Text $Object 'Source'; $item.category = Get-Text $Object 'Classification'
        $item.escalation = Get-Text $Object 'Escalated'; $item.resolved = Get-Time $Object 'ResolvedDate'
        $item.resolvedBy = Get-Person $Object 'System.WorkItem.TroubleTicketResolvedByUser'
        $item.closedBy = Get-Person $Object 'System.WorkItem.TroubleTicketClosedByUser'
    } else {
        $item.category = Get-Text $Object 'Area'; $item.type = Get-Text $Object 'Category'; $item.risk = Get-Text $Object 'Risk'
        $item.closedBy = Get-Person $Object 'System.WorkItemClosedByUser'; $item.required = Get-Time $Object 'RequiredByDate'
        $item.plannedStart = Get-Time $Object 'ScheduledStartDate'; $item.plannedEnd = Get-Time $Object 'ScheduledEndDate'
        $item.actualStart = Get-Time $Object 'ActualStartDate'; $item.actualEnd = Get-Time $Object 'ActualEndDate'
    }
    $item
}

# Those that were changed since a time, in the order of the contract: by time of change in milliseconds, then by identity.
function Get-Changed([string] $Kind, [string] $Since) {
    $from = [DateTime]::Parse($Since, [Globalization.CultureInfo]::InvariantCulture, 'AdjustToUniversal')
    # criteria read times in the culture of the machine
    $filter = "LastModified -ge '$($from.AddSeconds(-1).ToString())'"
    @(Get-SCSMObject -Class (Get-Class $Kind) -Filter $filter @sm |
        Where-Object { [string]::CompareOrdinal((Get-Modified $_), $Since) -ge 0 } |
        Sort-Object { Get-Modified $_ }, { Get-Key $_ })
}

function Get-Page([string] $Kind, $Query) {
    $since = $Query['changedSince']; $after = $Query['afterId']; $limit = [int] $Query['limit']
    $behind = @(Get-Changed $Kind $since)
    if ($after) {
        $behind = @($behind | Where-Object {
            $order = [string]::CompareOrdinal((Get-Modified $_), $since)
            $order -gt 0 -or ($order -eq 0 -and [string]::CompareOrdinal((Get-Key $_), $after) -gt 0)
        })
    }
    $page = @($behind | Select-Object -First $limit)
    @{ items = @($page | ForEach-Object { ConvertTo-WorkItem $_ $Kind }); more = $behind.Count -gt $page.Count; total = $behind.Count }
}

function Get-Ids([string] $Kind, $Query) {
    $after = [string] $Query['afterId']; $limit = [int] $Query['limit']
    $ids = @(Get-Changed $Kind $Query['changedSince'] | ForEach-Object { Get-Key $_ } |
        Where-Object { [string]::CompareOrdinal($_, $after) -gt 0 } | Sort-Object)
    @{ ids = @($ids | Select-Object -First $limit); more = $ids.Count -gt $limit }
}

function Get-Choices([string] $Enumeration) {
    $root = Get-SCSMEnumeration "$Enumeration`$" @sm
    @(Get-SCSMChildEnumeration -Enumeration $root @sm | ForEach-Object { @{ value = $_.Name; label = $_.DisplayName } })
}

function Get-Configuration {
    $templates = @(Get-SCSMObjectTemplate @sm | Where-Object {
        $_.TypeID.Identifier -and $_.TypeID.Identifier.Path[0] -eq 'System.WorkItem.Incident.ProjectionType'
    } | ForEach-Object { @{ name = $_.DisplayName; table = 'Incident'; fields = @{} } })
    $fields = @(
        @{ name = 'Classification'; label = 'Classification'; table = 'Incident'; choices = @(Get-Choices 'IncidentClassificationEnum') }
        @{ name = 'Source'; label = 'Source'; table = 'Incident'; choices = @(Get-Choices 'IncidentSourceEnum') }
        @{ name = 'TierQueue'; label = 'Support group'; table = 'Incident'; choices = @(Get-Choices 'IncidentTierQueuesEnum') }
        @{ name = 'Urgency'; label = 'Urgency'; table = 'Incident'; choices = @(Get-Choices 'System.WorkItem.TroubleTicket.UrgencyEnum') }
        @{ name = 'Impact'; label = 'Impact'; table = 'Incident'; choices = @(Get-Choices 'System.WorkItem.TroubleTicket.ImpactEnum') })
    $users = @(Get-SCSMObject -Class (Get-SCSMClass 'System.Domain.User$' @sm) -MaxCount 20000 @sm |
        ForEach-Object { @{ id = "$($_.Domain)\$($_.UserName)"; name = [string] $_.DisplayName } })
    $groups = @(($fields | Where-Object { $_.name -eq 'TierQueue' }).choices | ForEach-Object { @{ id = $_.value; name = $_.label } })
    @{ templates = $templates; fields = $fields; users = $users; groups = $groups }
}

function ConvertTo-Ticket($Object) {
    $link = if ($config.portalUrl) { $config.portalUrl -f $Object.Name } else { '' }
    $open = -not @('IncidentStatusEnum.Resolved', 'IncidentStatusEnum.Closed').Contains($Object.Status.Name)
    @{ id = Get-Key $Object; number = [string] $Object.Name; state = [string] $Object.Status.DisplayName; open = $open; link = $link }
}

function Find-Incidents([string] $CorrelationId) {
    # a filter knows no quotes: what could end it does not come from Watchkeeper's identities
    if ($CorrelationId -match "['""%\[\]]") { throw [Refusal]::new(400, 'InvalidValue', 'the correlationId has quotes in it') }
    $line = "$Mark$CorrelationId"
    @(Get-SCSMObject -Class (Get-Class 'Incident') -Filter "Description -like '*$line*'" @sm |
        Where-Object { ($_.Description -split "`r?`n" | ForEach-Object Trim) -contains $line } | Sort-Object CreatedDate)
}

function Get-Incident([string] $Id) {
    try { $found = Get-SCSMObject -Id $Id @sm } catch { $found = $null }
    if (-not $found) { throw [Refusal]::new(404, 'NotFound', "there is no incident $Id") }
    $found
}

function Add-Incident($Body) {
    $known = @(Find-Incidents $Body.correlationId)
    if ($known.Count -gt 0) { return ConvertTo-Ticket $known[0] }
    $class = Get-Class 'Incident'
    $values = @{
        Id = 'IR{0}'; Title = $Body.title; Description = "$($Body.description)`n`n$Mark$($Body.correlationId)"
        Urgency = "System.WorkItem.TroubleTicket.UrgencyEnum.$($levels[[int] $Body.urgency])"
        Impact = "System.WorkItem.TroubleTicket.ImpactEnum.$($levels[[int] $Body.impact])"
        Status = 'IncidentStatusEnum.Active$'; Source = 'IncidentSourceEnum.System$'
    }
    foreach ($field in $Body.fields.PSObject.Properties) {
        if (-not ($class.GetProperties('Recursive') | Where-Object Name -eq $field.Name)) {
            throw [Refusal]::new(400, 'UnknownField', "an incident has no property $($field.Name)")
        }
        $values[$field.Name] = $field.Value
    }
    $template = $null
    if ($Body.template) {
        $template = Get-SCSMObjectTemplate @sm | Where-Object { $_.DisplayName -eq $Body.template } | Select-Object -First 1
        if (-not $template) { throw [Refusal]::new(400, 'UnknownTemplate', "there is no template $($Body.template)") }
    }
    $made = New-SCSMObject -Class $class -PropertyHashtable $values -PassThru @sm
    if ($template) {
        $projection = Get-SCSMObjectProjection -ProjectionName 'System.WorkItem.Incident.ProjectionType' -Filter "ID -eq $($made.Name)" @sm
        Set-SCSMObjectTemplate -Projection $projection -Template $template @sm
        # what the action and the alert say stands over the template
        Set-SCSMObject -SMObject $made -PropertyHashtable ($values.Clone() | ForEach-Object { $_.Remove('Id'); $_ }) @sm
    }
    if ($Body.configurationItem) { Add-ConfigurationItem $made $Body.configurationItem ([bool] $Body.createConfigurationItem) }
    ConvertTo-Ticket (Get-Incident (Get-Key $made))
}

function Add-ConfigurationItem($Incident, [string] $Name, [bool] $Create) {
    $short = $Name.Split('.')[0]
    $class = Get-SCSMClass 'Microsoft.Windows.Computer$' @sm
    $found = @(Get-SCSMObject -Class $class -Filter "DisplayName -like '$short*'" @sm |
        Where-Object { $_.DisplayName -eq $Name -or $_.DisplayName.Split('.')[0] -eq $short })
    if ($found.Count -eq 0) {
        if (-not $Create) { return }
        $found = @(New-SCSMObject -Class $class -PropertyHashtable @{ PrincipalName = $Name; DisplayName = $Name; NetbiosComputerName = $short } -PassThru @sm)
    }
    New-SCSMRelationshipObject -Relationship (Get-SCSMRelationshipClass 'System.WorkItemAboutConfigItem$' @sm) -Source $Incident -Target $found[0] -Bulk @sm
}

function Set-Incident([string] $Id, $Body) {
    $incident = Get-Incident $Id
    $status = $incident.Status.Name
    if ($status -eq 'IncidentStatusEnum.Closed' -and $Body.outcome -ne 'close') { throw [Refusal]::new(409, 'Closed', "$($incident.Name) is closed") }
    $now = [DateTime]::UtcNow
    $values = @{}
    switch ($Body.outcome) {
        'note' { }
        'resolve' { if ($status -ne 'IncidentStatusEnum.Resolved') { $values = @{ Status = 'IncidentStatusEnum.Resolved$'; ResolvedDate = $now; ResolutionDescription = $Body.note } } }
        'close' { if ($status -ne 'IncidentStatusEnum.Closed') { $values = @{ Status = 'IncidentStatusEnum.Closed$'; ClosedDate = $now } } }
        'reopen' { if ($status -eq 'IncidentStatusEnum.Resolved') { $values = @{ Status = 'IncidentStatusEnum.Active$'; ResolvedDate = $null } } }
        default { throw [Refusal]::new(400, 'InvalidValue', "outcome cannot be $($Body.outcome)") }
    }
    if ($Body.note) {
        # the analysts' log of the incident
        $entry = @{ Id = [guid]::NewGuid().ToString(); DisplayName = 'Watchkeeper'; Comment = $Body.note; EnteredBy = 'Watchkeeper'
            EnteredDate = $now; IsPrivate = $false }
        New-SCSMObjectProjection -Type 'System.WorkItem.IncidentPortalProjection$' -Projection @{
            __CLASS = 'System.WorkItem.Incident'; __SEED = $incident
            AnalystComments = @{ __CLASS = 'System.WorkItem.TroubleTicket.AnalystCommentLog'; __OBJECT = $entry } } @sm
    }
    if ($values.Count -gt 0) { Set-SCSMObject -SMObject $incident -PropertyHashtable $values @sm }
    ConvertTo-Ticket (Get-Incident $Id)
}

function Get-Token($Form) {
    if ($Form['grant_type'] -ne 'client_credentials') { return 400, @{ error = 'unsupported_grant_type' } }
    if ($Form['client_id'] -ne $config.clientId) { return 401, @{ error = 'invalid_client'; error_description = 'the client ID is not known' } }
    if ((Get-Digest ([string] $Form['client_secret'])) -ne $config.secret) { return 401, @{ error = 'invalid_client'; error_description = 'the client secret is wrong' } }
    $now = [DateTime]::UtcNow
    foreach ($old in @($tokens.Keys | Where-Object { $tokens[$_] -lt $now })) { $tokens.Remove($old) }
    $token = New-RandomText 32
    $tokens[$token] = $now.AddSeconds($TokenLife)
    return 200, @{ access_token = $token; token_type = 'Bearer'; expires_in = $TokenLife }
}

function Invoke-Route($Request, [string] $Text) {
    $path = $Request.Url.AbsolutePath.Substring($Base.Length).Trim('/').Split('/')
    $route = "$($Request.HttpMethod) $($path[0])"
    if ($route -eq 'POST token') { return Get-Token ([Web.HttpUtility]::ParseQueryString($Text)) }
    $token = ([string] $Request.Headers['Authorization']) -replace '^Bearer ', ''
    if (-not $tokens.ContainsKey($token) -or $tokens[$token] -lt [DateTime]::UtcNow) { throw [Refusal]::new(401, 'Unauthorized', 'the token is unknown or has ended') }
    $body = if ($Text) { $Text | ConvertFrom-Json } else { $null }
    switch ($route) {
        'GET about' {
            $group = Get-SCSMSession @sm
            $roles = @(Get-SCSMUserRole @sm | Where-Object { $_.ProfileDisplayName -match 'Advanced Operator|Author|Administrator' -and $_.Users -contains $config.account })
            return 200, @{ product = 'System Center Service Manager'; version = [string] $group.Version; contract = $Contract; user = $config.account; mayWrite = $roles.Count -gt 0 }
        }
        'GET configuration' { return 200, (Get-Configuration) }
        'GET work-items' {
            if ($path.Count -eq 3 -and $path[2] -eq 'ids') { return 200, (Get-Ids $path[1] $Request.QueryString) }
            return 200, (Get-Page $path[1] $Request.QueryString)
        }
        'GET incidents' { return 200, @{ items = @(Find-Incidents $Request.QueryString['correlationId'] | ForEach-Object { ConvertTo-Ticket $_ }) } }
        'POST incidents' { return 200, (Add-Incident $body) }
        'PATCH incidents' { return 200, (Set-Incident $path[1] $body) }
    }
    throw [Refusal]::new(404, 'UnknownRoute', "$route is not part of the contract")
}

Add-Type -AssemblyName System.Web
$listener = New-Object Net.HttpListener
$listener.Prefixes.Add("https://+:$($config.port)$Base/")
$listener.Start()
while ($listener.IsListening) {
    $context = $listener.GetContext()
    $status, $answer = 500, @{}
    try {
        $reader = New-Object IO.StreamReader $context.Request.InputStream, ([Text.Encoding]::UTF8)
        $status, $answer = Invoke-Route $context.Request $reader.ReadToEnd()
    } catch [Refusal] {
        $status, $answer = $_.Exception.Status, @{ error = @{ code = $_.Exception.Code; message = $_.Exception.Message } }
    } catch {
        $text = $_.Exception.Message
        if ($text -match 'denied|not authorized|UnauthorizedAccess') { $status, $answer = 403, @{ error = @{ code = 'Forbidden'; message = $text } } }
        elseif ($text -match 'Data Access service|connect') { $status, $answer = 503, @{ error = @{ code = 'Unavailable'; message = $text } } }
        elseif ($text -match 'enum|Assigning|cannot convert|InvalidSimpleObjectValue') { $status, $answer = 400, @{ error = @{ code = 'InvalidValue'; message = $text } } }
        else { $status, $answer = 500, @{ error = @{ code = 'Failed'; message = $text } } }
        Write-Warning "$($context.Request.HttpMethod) $($context.Request.Url.AbsolutePath): $text"
    }
    try {
        $bytes = [Text.Encoding]::UTF8.GetBytes(($answer | ConvertTo-Json -Depth 6 -Compress))
        $context.Response.StatusCode = $status
        $context.Response.ContentType = 'application/json; charset=utf-8'
        $context.Response.OutputStream.Write($bytes, 0, $bytes.Length)
        $context.Response.Close()
    } catch { Write-Warning "the answer was not taken: $($_.Exception.Message)" }
}
