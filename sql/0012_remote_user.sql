-- 0012_remote_user.sql: whether an application may take somebody's email address, or username, for that of an older account. Ours.
-- Each statement may run again after a failure halfway.

-- The same as email and username, as the commonest collation of other programs compares them: it takes a dotless i for an i, and a sharp
-- s for an s. What email_order and username call equal counts, too.
ALTER TABLE `user` ADD COLUMN IF NOT EXISTS `email_general` VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci
    GENERATED ALWAYS AS (`email`) VIRTUAL;
ALTER TABLE `user` ADD COLUMN IF NOT EXISTS `username_general` VARCHAR(50) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci
    GENERATED ALWAYS AS (`username`) VIRTUAL;
ALTER TABLE `user` ADD KEY IF NOT EXISTS `user_by_email_general` (`email_general`);
ALTER TABLE `user` ADD KEY IF NOT EXISTS `user_by_username` (`username`);
ALTER TABLE `user` ADD KEY IF NOT EXISTS `user_by_username_general` (`username_general`);
