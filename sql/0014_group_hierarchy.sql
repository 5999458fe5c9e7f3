-- 0014_group_hierarchy.sql: groups above and below others: group.parent_group_id, which an import has brought before.

-- The groups that are right below one.
ALTER TABLE `group` ADD KEY IF NOT EXISTS `group_by_parent` (`parent_group_id`);

-- Ours. One row, which is there from the first change on: whoever moves a group writes it first, so that two moves that
-- are right by themselves can't make a circle together.
CREATE TABLE IF NOT EXISTS `group_move` (
    `id` TINYINT NOT NULL,
    `moves` BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (`id`)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARACTER SET=utf8mb4 COLLATE=utf8mb4_nopad_bin;
