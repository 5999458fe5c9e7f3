<!doctype html>
<meta charset="utf-8">
<title>Hello</title>
<p>Hello, <?= htmlspecialchars($_SERVER['REMOTE_NAME']) ?>.
<p>You are <?= htmlspecialchars($_SERVER['REMOTE_USER']) ?>, in the groups
<?= htmlspecialchars(implode(', ', array_map('rawurldecode', explode(',', $_SERVER['REMOTE_GROUPS'])))) ?>.
