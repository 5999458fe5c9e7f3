-- 0006_group_index.sql: an index that no statement can use goes: lists of groups are ordered by `updated_at` descending
-- and `id` ascending.

ALTER TABLE `group` DROP KEY IF EXISTS `group_by_updated_at`;
