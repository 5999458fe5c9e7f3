-- 0003_moved_over.sql: what people bring along from newer releases of the service that this one replaces. The columns have its names.
-- It is kept from the import on, so that nothing of it is lost before it is used.

-- A second factor, as the other service wrote it: secrets are in it, as in `password`. Not JSON to MariaDB: what can't be read must be kept, too.
-- session_stamp: changed there whenever all sessions of somebody end.
ALTER TABLE `auth`
    ADD COLUMN IF NOT EXISTS `mfa` MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NULL DEFAULT NULL,
    ADD COLUMN IF NOT EXISTS `session_stamp` VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NULL DEFAULT NULL;

-- The person's ids at services that provision people (SCIM), and the texts that their prompts may use.
ALTER TABLE `user`
    ADD COLUMN IF NOT EXISTS `scim` JSON NULL DEFAULT NULL CHECK (json_valid(`scim`) OR (`scim` LIKE '{%}' AND
        char_length(`scim`) - char_length(replace(replace(`scim`, '{', ''), '[', '')) > 31)),
    ADD COLUMN IF NOT EXISTS `variables` JSON NULL DEFAULT NULL CHECK (json_valid(`variables`) OR (`variables` LIKE '{%}' AND
        char_length(`variables`) - char_length(replace(replace(`variables`, '{', ''), '[', '')) > 31));

-- The group above. It may come after this one, or be gone, so there is no foreign key.
ALTER TABLE `group`
    ADD COLUMN IF NOT EXISTS `parent_group_id` VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NULL DEFAULT NULL;
