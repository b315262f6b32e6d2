-- A shadow that ended with the version that it stood beside has an end, too.

update policy_shadows
set stopped_at = (
  select min(v.activated_at)
  from policy_versions v
  join policy_versions a
    on a.workspace_id = v.workspace_id
    and a.id = policy_shadows.active_id
  where v.workspace_id = policy_shadows.workspace_id
    and v.number > a.number
)
where stopped_at is null;
