-- 0010_filters.sql: what the filters of GET /users/ and the lists of everybody's sessions and keys are read by. Ours.
-- Each statement may run again after a failure halfway.

-- Few accounts are disabled.
ALTER TABLE `auth` ADD KEY IF NOT EXISTS `auth_by_active` (`active`, `id`);

-- Sessions of everybody, the latest first, with what says whether they are valid.
ALTER TABLE `session` ADD KEY IF NOT EXISTS `session_by_created_at` (`created_at`, `jti`, `expires_at`, `revoked_at`, `user_id`);

-- API keys of everybody, the latest first.
ALTER TABLE `api_key` ADD KEY IF NOT EXISTS `api_key_by_created_at` (`created_at`, `id`);
