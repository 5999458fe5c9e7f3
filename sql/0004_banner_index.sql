-- 0004_banner_index.sql: whether anybody still refers to a picture is asked of both columns that may hold its address.

ALTER TABLE `user` ADD KEY IF NOT EXISTS `user_by_banner` (`profile_banner_image_url`(96));
