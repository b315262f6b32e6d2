-- A user's groups are told by its memberships and the tree. Without this index a move writes long runs of rows, and not a page for every user.
drop index effective_memberships_by_user;
