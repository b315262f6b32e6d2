-- The log stands by itself. A reference to the workspace would have whoever writes to the log wait for whoever changes the workspace, who in
-- turn waits for the log: for a long change all logs that are written together would wait, and two would wait for one another.
alter table decisions drop constraint decisions_workspace_id_fkey;
alter table decision_logs drop constraint decision_logs_workspace_id_fkey;
