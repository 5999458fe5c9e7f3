# Mails that can't be sent: by a program that stands in for sendmail, and fails.
use v5.36;

use Test::More;
use Roster;
use Roster::Mail;

my $roster = Roster->new(start => 0);
my $directory = $roster->directory . '/program';
my $program = Roster::Mail::stand_in($directory);
sub mode ($what) { return Roster::Database::write_file("$directory/mode", "$what\n") }
mode(0);
$roster->set_directives(
    public_url => 'https://users.example.org',
    mail_directory => "$Roster::source/conf/mail",
    sendmail_command => "$program --config own.conf",
    sendmail_timeout => '2s',
    mail_from => 'roster@example.org');
$roster->start;
my $bob = $roster->add_user(email => 'bob@example.org');

sub reset_bob () { return $roster->ctl('user', 'reset', 'bob@example.org')->{status} }
sub calls () { return scalar(() = glob "$directory/*.arguments") }
sub listed () { return $roster->ctl('--json', 'mail', 'list')->{json} }

# Tries the mails that wait, as soon as the program has failed before.
sub retry () { return $roster->ctl('mail', 'retry')->{status} }

# Whether a process of it is there.
sub runs () {
    return scalar grep {
        (eval { Roster::Database::slurp($_) } // '') =~ /\0\Q$program\E\0/
    } glob '/proc/[0-9]*/cmdline';
}

# What the first one that waits says of itself, once it says what matches.
sub is_told ($pattern, $name) {
    my $error = '';
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return ok(
        wait_until(20, sub { my ($first) = @{listed()}; $error = $first && $first->{error} // ''; $error =~ $pattern }),
        $name
    ) || diag $error;
}

# ---- How it is called ----

is reset_bob(), 0, 'a mail';
ok wait_until(20, sub { calls() == 1 }), 'the program is called';
my ($arguments, @environment) = split /^ENV /m, Roster::Database::slurp("$directory/1.arguments");
is_deeply [split /\n/, $arguments], [qw(--config own.conf -i -t -f roster@example.org), 'FD 0'],
    'its arguments are those of the configuration, and no address of a person; it gets no descriptor of the service';
is_deeply [map { s/\n//r } @environment], [qw(LANG PATH)], 'it gets no environment of the service';
my $message = Roster::Database::slurp("$directory/1.message");
$roster->secret($_) for $message =~ m{/account/reset#(\w+)}g;
like $message, qr/^To: bob\@example\.org\n/, 'the recipient stands in the message';
unlike $message, qr/\r/, 'lines end as sendmail wants them';
ok wait_until(20, sub { !@{listed()} }), 'it is gone from the table';

# ---- It fails ----

mode(75);
reset_bob();
is_told(qr/^exit status 75: first line;the program says 75$/, 'EX_TEMPFAIL: it waits, with the reason');
my ($waiting) = @{listed()};
ok $waiting->{next_at} > $waiting->{created_at}, 'it is tried again later';
is_deeply [@$waiting{qw(kind to attempts)}], ['reset', 'bob@example.org', 1], 'rosterctl lists it';
like $roster->log_text, qr/mail \d+ \(reset\) could not be sent, and is tried again in 10 s: exit status 75/,
    'the log, too';
my $table = $roster->ctl('mail')->{out};
like $table, qr/^ID +MAIL +TO +MADE +NEXT TRY +TRIES +WHY\n *\d+ +reset +bob\@example\.org/m, 'as a table'
    or diag $table;
$roster->secret($_) for map { Roster::Database::slurp($_) =~ m{/account/reset#(\w+)} } glob "$directory/*.message";
unlike $table, qr/#\w{64}/, '... without its link';
my $created = $waiting->{created_at};
ok wait_until(70, sub { ($roster->status->{mails_waiting} // 0) == 1 }), '/status counts it';
is $roster->status->{oldest_mail_at}, $created, '... and says since when it waits';
like $roster->get('/status?format=prometheus')->{body},
    qr/^roster_mails\{state="waiting"\} 1\nroster_mails\{state="given_up"\} 0\n.*^roster_oldest_mail_timestamp_seconds $created$/ms,
    '... Prometheus, too';
like $roster->ctl('status')->{out}, qr/^Mails: 1 wait, 0 were given up/m, '... and rosterctl';
my ($first_secret) = Roster::Database::slurp("$directory/2.message") =~ m{/account/reset#(\w+)};
mode(1);
retry();
is_told(qr/^exit status 1: .*says 1$/, 'any other failure of the machine is for now');
mode(0);
retry();
ok wait_until(20, sub { !@{listed()} }), 'then it is sent';
my ($last) = (sort { $b =~ s/\D//gr <=> $a =~ s/\D//gr } glob "$directory/*.message")[0];
my ($last_secret) = Roster::Database::slurp($last) =~ m{/account/reset#(\w+)};
$roster->secret($last_secret);
isnt $last_secret, $first_secret, '... with a link of its own';
is $roster->request(
    POST => '/auths/password/reset',
    json => {token => $first_secret, new_password => 'good enough pass'}
)->{json}{code}, 'INVALID_LINK', 'that of the failed attempt is worth nothing';

mode(67);
reset_bob();
is_told(qr/^exit status 67/, 'EX_NOUSER');
is listed()->[0]{next_at}, undef, '... is given up';
like $roster->log_text, qr/\[error\] .*mail \d+ \(reset\) is given up: exit status 67/,
    '... and logged with its number';
my $count = calls();
mode(0);
is retry(), 0, 'an administrator may try again';
ok wait_until(20, sub { !@{listed()} }), '... and it is sent';

mode('hang');
reset_bob();
is_told(qr/^it took longer than sendmail_timeout, and was killed$/, 'one that hangs');
is runs(), 0, '... is ended';
mode(0);
retry();
ok wait_until(20, sub { !@{listed()} }), '... and others are sent';

# ---- Who dies meanwhile ----

mode('hang');
$roster->set_directives(sendmail_timeout => '1h', sendmail_command => $program);
is $roster->reload, '', 'an hour for each mail';
ok wait_until(10, sub { $roster->mailer }), 'another mailer';
$count = calls();
reset_bob();
ok wait_until(20, sub { calls() > $count }), 'the program hangs';
my $began = time;
is $roster->stop('roster'), 0, 'the service ends well meanwhile';
cmp_ok time - $began, '<', 60, '... and does not wait for an hour';
is runs(), 0, '... nor leaves the program behind';
is scalar @{listed()}, 1, 'the mail is still there';
mode(0);
$roster->start('roster');
ok wait_until(20, sub { !@{listed()} }), '... and sent after the start';
mode('hang');
$count = calls();
reset_bob();
ok wait_until(20, sub { calls() > $count }), 'the program hangs again';
kill 'KILL', $roster->mailer;
ok wait_until(20, sub { !runs() }), 'it dies with the process that has called it';
ok wait_until(20, sub { $roster->mailer }), 'which is started again';
ok listed()->[0]{next_at} > time + 60, 'the mail was taken for longer than that may take';
mode(0);
retry();
ok wait_until(20, sub { !@{listed()} }), 'it is sent';

# ---- What is too old ----

mode(75);
$roster->sql('INSERT INTO mail (kind, user_id, created_at, next_at) VALUES (?, ?, ?, UNIX_TIMESTAMP())',
    'reset', $bob->{id}, time - 3700);
is_told(qr/^not sent in time$/, 'a link that was asked for longer ago than it is valid is not sent');
is listed()->[0]{next_at}, undef, '... but given up';
$roster->sql(
    'INSERT INTO mail (kind, user_id, created_at, next_at) VALUES (?, ?, 1, UNIX_TIMESTAMP())',
    'of a newer release',
    $bob->{id});
reset_bob();
ok wait_until(
    20,
    sub {
        grep { $_->{error} && $_->{error} =~ /75/ } @{listed()};
    }
    ),
    'a mail of a kind that is unknown holds up no other';
$roster->sql('DELETE FROM mail');

# ---- The database goes away ----

mode(0);
$roster->restart('mariadb');
reset_bob();
ok wait_until(30, sub { !@{listed()} }), 'after a restart of MariaDB mails are sent';
$roster->secret($_) for map { Roster::Database::slurp($_) =~ m{/account/reset#(\w+)} } glob "$directory/*.message";

# ---- The configuration ----

for my $case (
    [{sendmail_command => 'sendmail'}, qr/roster\.conf:\d+: sendmail_command must begin with the absolute path/],
    [{mail_from => 'nobody'}, qr/roster\.conf:\d+: mail_from is "nobody": write an address alone/],
    [{mail_from => 'a@example.org, b@example.org'}, qr/roster\.conf:\d+: mail_from is /],
    [{mail_notices => 'password phone'}, qr/roster\.conf:\d+: mail_notices has "phone"/],
    [{mail_language => '../de'}, qr/roster\.conf:\d+: mail_language is /],
    [
        {sendmail_command => '/nonexistent/sendmail -x'},
        qr/sendmail_command: \/nonexistent\/sendmail can't be run: No such/
    ],
    [{mail_directory => '/nonexistent'}, qr/mail_directory: \/nonexistent\/\w+\.txt: can't be read/])
{
    my ($change, $pattern) = @$case;
    my %before = %{$roster->{options}{config}};
    $roster->set_directives(%$change);
    my ($status, $said) = $roster->run_program('roster', '-c', $roster->config_file, '-t');
    ok $status && $said =~ $pattern, "roster -t: $pattern" or diag $said;
    $roster->configure(config => \%before);
}
$roster->set_directives(public_url => undef);
my ($status, $said) = $roster->run_program('roster', '-c', $roster->config_file, '-t');
ok !$status && $said =~ /no mails are sent: set public_url/,
    'without public_url there are no mails, and roster -t says so'
    or diag $said;
is $roster->ctl('mail', 'test', 'bob@example.org')->{status}, 4, '... and rosterctl';
done_testing;
