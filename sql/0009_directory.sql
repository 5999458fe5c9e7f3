-- 0009_directory.sql: what workers that keep names and email addresses in memory read, so that what they have is what is here.
-- Each statement may run again after a failure halfway.

-- changed_at: when a row was last changed in a way that names and addresses may have changed by; the time of the statement, not of its
-- commit. Statements that change neither keep it as it is. NULL: not since there is this column.
ALTER TABLE `user` ADD COLUMN IF NOT EXISTS `changed_at` TIMESTAMP(6) NULL DEFAULT NULL ON UPDATE CURRENT_TIMESTAMP(6);
ALTER TABLE `user` ALTER COLUMN `changed_at` SET DEFAULT CURRENT_TIMESTAMP(6);
ALTER TABLE `user` ADD KEY IF NOT EXISTS `user_by_changed_at` (`changed_at`);

-- Who was deleted of late. Rows older than a day are removed.
CREATE TABLE IF NOT EXISTS `deleted_user` (
    `id` VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
    `deleted_at` TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
    PRIMARY KEY (`id`),
    KEY `deleted_user_by_time` (`deleted_at`)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARACTER SET=utf8mb4 COLLATE=utf8mb4_nopad_bin;
