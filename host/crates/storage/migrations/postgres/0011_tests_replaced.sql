-- A step more, and one less that was never taken.

alter table policy_history drop constraint policy_history_step_check;
alter table policy_history add constraint policy_history_step_check check (step in (
  'uploaded', 'validated', 'rejected', 'tested', 'tests-replaced', 'shadow-started', 'shadow-stopped', 'activation-refused', 'activated',
  'settings-changed', 'rolled-back', 'rolled-back-automatically', 'activation-forced', 'rollback-forced'
));
