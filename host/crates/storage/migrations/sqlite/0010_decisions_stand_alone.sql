-- On Postgres the log loses its references to the workspace. SQLite has one writer at a time, who waits for nobody: there is nothing to do.
select 1;
