# Mails, by msmtp and SMTP into a maildir: links to choose a password, invitations, verified addresses, notices.
use v5.36;
use utf8;

use Digest::SHA ();
use Encode ();
use JSON::PP ();
use Test::More;
use Roster;
use Roster::Mail;

plan skip_all => 'msmtp is not installed (apt install msmtp): nothing is sent' if !Roster::Mail::msmtp();

my $roster = Roster->new(start => 0, config => {rate_limit_link => 1000});
my $mail = Roster::Mail->new($roster->directory);
$roster->set_directives(%{$roster->{options}{config}},
    $mail->directives, site_name => Encode::encode('UTF-8', 'Müller & Söhne'));
$roster->start;
$roster->sql('SELECT 1');
my $NEW = 'a password of one\'s own';
$roster->secret($_) for $NEW, 'another password', 'a third good password';
my $admin = $roster->add_user(role => 'admin', created_at => time - 200_000, name => 'Ada Lovelace');

# Each link is a secret.
sub next_mail ($pattern = qr//) {
    my $message = $mail->wait_for($pattern);
    $roster->secret($message->{secret}) if $message && $message->{secret};
    return $message // {subject => 'no mail came', text => '', html => '', head => '', rcpt => []};
}

# Nothing waits any more: what was to be sent, was.
sub is_quiet () {
    return wait_until(20, sub { !$roster->sql('SELECT COUNT(*) FROM mail WHERE next_at IS NOT NULL') });
}

sub forget ($email, %options) { return $roster->call(password_forgot => 200, json => {email => $email}, %options) }

sub reset_by ($secret, $password = $NEW, $expected = 200) {
    return $roster->call(password_reset => $expected, json => {token => $secret, new_password => $password});
}

# ---- rosterctl mail test ----

my $tried = $roster->ctl('mail', 'test', 'Somebody@Example.ORG');
is $tried->{status}, 0, 'a mail to try' or diag $tried->{err};
my $test = next_mail(qr/Mail from/);
is_deeply [@$test{qw(envelope to rcpt subject)}],
    ['noreply@users.example.org', 'somebody@example.org', ['somebody@example.org'], 'Mail from Müller & Söhne works'],
    'it comes, with its subject in words';
is $test->{from}, 'Müller & Söhne <noreply@users.example.org>', '... from the site';
like $test->{id}, qr/\A<[0-9a-f]{32}\@users\.example\.org>\z/, 'its Message-ID has the host of the site';
like $test->{head}, qr/^Auto-Submitted: auto-generated$/m, 'it says that a program sent it';
like $test->{head}, qr/^Date: (?:Sun|Mon|Tue|Wed|Thu|Fri|Sat), \d{1,2} [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d \+0000$/m,
    '... and when';
like $test->{text}, qr/^an administrator of Müller & Söhne has sent this/m, 'plain text';
like $test->{html}, qr/an administrator of Müller &amp; Söhne has sent this/, '... and HTML, with & as &amp;';
unlike $test->{head}, qr/[^\x00-\x7f]/, 'the head is ASCII';
is + (grep { length > 76 + 1 } split /\n/, (split /\r?\n\r?\n/, $test->{raw}, 2)[1] =~ s/\r//gr), 0, 'no line is long';
is_deeply $roster->ctl_json('mail'), [], 'nothing waits';

# ---- A forgotten password ----

my $bob = $roster->add_user(name => 'Bob <b>"&', email => 'bob@example.org');
my $session = $roster->new_session($bob);
is $roster->get('/auths/site')->{json}{password_reset}, JSON::PP::true, 'the sign-in page may offer it';
forget(' BOB@Example.org ');
my $first = next_mail(qr/^Subject: Choose a new/m);
is_deeply $first->{rcpt}, ['bob@example.org'], 'the link goes to the address of the account, however it was typed';
like $first->{link}, qr{\A\Q$Roster::Mail::URL\E/account/reset#[0-9a-f]{64}\z}, 'a link of 256 bits, in the fragment';
like $first->{html}, qr/<a href="\Q$first->{link}\E"/, '... in HTML, too';
like $first->{html}, qr/Hello Bob &lt;b&gt;&quot;&amp;,/, 'the name is escaped in HTML';
like $first->{text}, qr/^Hello Bob <b>"&,$/m, '... and not in the text';
like $first->{text}, qr/until \d{4}-\d\d-\d\d \d\d:\d\d UTC/, 'it says until when';
is_deeply [
    $roster->sql(
        'SELECT user_id, purpose, email FROM one_time_link WHERE hash = ?',
        Digest::SHA::sha256_hex($first->{secret}))
    ],
    [[$bob->{id}, 'reset', 'bob@example.org']], 'its hash is at rest';
my $everything = join ' ', map {
    my $table = $_->[0];
    map {
        join ' ',
            map { $_ // '' }
            @$_
    } $roster->sql("SELECT * FROM `$table`")
} $roster->sql('SHOW TABLES');
unlike $everything, qr/\Q$first->{secret}\E/, '... and nowhere the secret';
is $roster->sign_in($bob)->{status}, 200, 'the old password still works';

# Host-header poisoning of reset links: whoever asks can't choose where the link leads.
$roster->request(
    POST => '/auths/password/forgot',
    json => {email => 'bob@example.org'},
    host => 'evil.example.net',
    headers => ['X-Forwarded-Host' => 'evil.example.net']);
my $poisoned = next_mail(qr/^Subject: Choose a new/m);
like $poisoned->{link}, qr{\A\Q$Roster::Mail::URL\E/}, 'Host and X-Forwarded-Host do not change the link';
unlike $poisoned->{raw}, qr/evil/, '... nor anything else';

$roster->call(password_reset => 'INVALID_LINK', json => {token => $first->{secret}, new_password => $NEW});
my $second = $poisoned;
my %second = (token => $second->{secret});
$roster->call(password_reset => 'INVALID_PASSWORD', json => {%second, new_password => 'short'});
$roster->call(password_reset => 'PASSWORD_TOO_LONG', json => {%second, new_password => 'x' x 257});
$roster->call(email_verify => 'INVALID_LINK', json => {token => $second->{secret}});
is $roster->request(POST => '/auths/password/reset', json => {new_password => $NEW})->{status}, 422, 'no token';
$roster->call(password_reset => 200, json => {%second, new_password => $NEW});
is_problem $roster->get('/auths/', $session), 401, 'INVALID_TOKEN', 'all sessions are over';
is $roster->sign_in($bob, password => $NEW)->{status}, 200, 'the new password works';
is_problem $roster->sign_in($bob), 400, 'INVALID_CRED', '... and not the old one';
reset_by($second->{secret}, 'another password', 'INVALID_LINK');
like $roster->sql('SELECT email_verified_at FROM user WHERE id = ?', $bob->{id}) // '', qr/^\d+$/,
    'whoever has read the mail has the address';
like next_mail(qr/^Subject: Your password/m)->{text}, qr/was changed at .* from\s+127\.0\.0\.1\./, 'there is a notice';
is_deeply [map { scalar @{$_->{rcpt}} } $mail->messages], [(1) x $mail->count], 'each mail has gone to one address';

# The same answer for everybody.
my $off = $roster->add_user(email => 'off@example.org', active => 0);
my $bare = $roster->add_user(email => 'bare@example.org');
$roster->sql('DELETE FROM auth WHERE id = ?', $bare->{id});
is_quiet();
my $before = $mail->count;
my @same = map { forget($_) } 'off@example.org', 'nobody@example.org', 'no address', '', '%@example.org',
    'x' x 300 . '@example.org', 'b\'ob"@example.org', "nul\x{1f600}\@example.org";
is_deeply [map { $_->{body} } @same], [('true') x @same],
    'a disabled account, an unknown one, and rubbish: no difference';
ok is_quiet(), 'all of it is dealt with';
is $mail->count, $before, '... and nobody got a mail';
is $roster->sql('SELECT COUNT(*) FROM mail'), 0, '... and nothing of it is kept';
is_problem $roster->request(POST => '/auths/password/forgot', json => {}), 422, 'VALIDATION_ERROR', 'no address at all';
is $roster->get('/auths/password/forgot')->{status}, 405, 'GET is not how';
forget('bare@example.org');
reset_by(next_mail(qr/^To: bare\@/m)->{secret}, 'another password');
is $roster->sign_in($bare, password => 'another password')->{status}, 200, 'whoever had no password gets one';

# Links end.
$roster->reconfigure(rate_limit_link_mail => 1000);
my $user = $roster->add_user(email => 'links@example.org');
sub fresh_link () { forget('links@example.org'); return next_mail(qr/\ASubject: Choose.*^To: links\@/ms)->{secret} }
my $link = fresh_link();
$roster->sql('UPDATE one_time_link SET expires_at = UNIX_TIMESTAMP()');
reset_by($link, $NEW, 'INVALID_LINK');
for my $case (
    [
        'a change of the password',
        sub {
            $roster->call(
                password_update => 200,
                token => $user->{token},
                json => {password => $user->{password}, new_password => $NEW});
        }
    ],
    [
        'a new password by rosterctl',
        sub { $roster->ctl('user', 'passwd', 'links@example.org', '--password-stdin', {input => "another password\n"}) }
    ],
    ['another address', sub { $roster->ctl('user', 'set', 'links@example.org', '--email', 'moved@example.org') }],
    [
        'a disabled account',
        sub {
            $roster->ctl('user', 'set', 'moved@example.org', '--email', 'links@example.org');
            is_quiet();
            $roster->ctl('user', 'disable', 'links@example.org');
        }
    ])
{
    $link = fresh_link();
    $case->[1]->();
    is reset_by($link, $NEW, 'INVALID_LINK')->{status}, 400, "$case->[0] ends the link";
    $roster->ctl('user', 'set', 'moved@example.org', '--email', 'links@example.org') if $case->[0] =~ /address/;
    is_quiet();
}
$roster->ctl('user', 'enable', 'links@example.org');
my $raced = fresh_link();
my @answers = map { $_->[0] } at_once(
    map {
        sub {
            $roster->request(
                POST => '/auths/password/reset',
                json => {token => $raced, new_password => 'another password'}
            )->{status};
        }
    } 1 .. 4);
is "@{[sort @answers]}", '200 400 400 400', 'four at once: one uses it';

# ---- Limits ----

is_quiet();
$roster->reconfigure(rate_limit_link_mail => 2, rate_limit_link => 6);
$roster->add_user(email => 'often@example.org');
$before = $mail->count;
is statuses(map { forget('often@example.org', client => '192.0.2.1') } 1 .. 4), '200 200 200 200',
    'more requests than mails are answered the same';
is_quiet();
is $mail->count - $before, 2, '... and two mails are sent';
is statuses(
    map {
        $roster->request(
            POST => '/auths/password/forgot',
            json => {email => "guess$_\@example.org"},
            client => '192.0.2.1')
    } 1 .. 3
    ),
    '200 200 429', 'one address may not ask for everybody';
is_problem $roster->request(
    POST => '/auths/password/reset',
    json => {token => 'guess', new_password => $NEW},
    client => '192.0.2.1'
    ),
    429, 'RATE_LIMIT_EXCEEDED', '... nor guess links';
$roster->reconfigure(rate_limit_link_mail => 1000, rate_limit_link => 1000);

# ---- Invitations ----

my $invited = $roster->ctl('user', 'invite', 'Eve@Example.org', '--name', 'Eve', '--role', 'user');
is $invited->{status}, 0, 'an invitation' or diag $invited->{err};
like $invited->{out}, qr/goes to eve\@example\.org/, 'it says where the mail goes';
my $invitation = next_mail(qr/^To: eve\@/m);
like "$invitation->{subject} $invitation->{link}", qr{^Your account at Müller & Söhne \S+/account/reset#}, 'the mail';
is_problem $roster->sign_in('eve@example.org', password => ''), 400, 'INVALID_CRED', 'there is no password yet';
like $roster->ctl('user', 'invite', 'eve@example.org')->{err}, qr/Another account has this/, 'nobody is invited twice';
is $roster->ctl('user', 'reset', 'eve@example.org')->{status}, 0, '... but gets another link';
my $again = next_mail(qr/^To: eve\@/m);
like $again->{subject}, qr/^Your account/, '... of an invitation, as there is no password to reset';
reset_by($invitation->{secret}, $NEW, 'INVALID_LINK');
is_quiet();
$before = $mail->count;
reset_by($again->{secret});
is $roster->sign_in('eve@example.org', password => $NEW)->{status}, 200, 'the first password';
is_quiet();
is $mail->count, $before, 'no notice of a first password, nor of a first sign-in';
$roster->sql('INSERT INTO `group` (id, user_id, name, description, created_at, updated_at) VALUES (?, ?, ?, ?, 1, 1)',
    'writers', $admin->{id}, 'Writers', '');
my $printed = $roster->ctl('user', 'invite', 'frank@example.org', '--group', 'Writers', '--print');
like $printed->{out}, qr{\A\Q$Roster::Mail::URL\E/account/reset#([0-9a-f]{64})\n\z}, '--print gives the link, alone';
my ($secret) = $printed->{out} =~ /#(\w+)/;
$roster->secret($secret);
is $roster->sql(
    'SELECT group_id FROM group_member m JOIN user u ON u.id = m.user_id WHERE u.email = ?',
    'frank@example.org'
    ),
    'writers', 'in the group';
reset_by($secret);
is $roster->sql('SELECT email_verified_at FROM user WHERE email = ?', 'frank@example.org'), undef,
    'a link that was no mail verifies no address';
my $json = $roster->ctl_json('user', 'reset', 'frank@example.org', '--print');
like $json->{link}, qr{/account/reset#[0-9a-f]{64}\z}, 'the same as JSON';
$roster->secret($json->{link} =~ s/.*#//r);
like $roster->ctl('user', 'reset', 'off@example.org')->{err}, qr/is disabled/, 'who is disabled gets none';
is $roster->ctl('user', 'reset', 'nobody@example.org')->{status}, 3, 'nor who is not there';
like $roster->ctl('user', 'invite', 'no address')->{err}, qr/not an email address/, 'nor what is no address';

# The same by the API.
my %invitation = (name => 'Kim', email => 'Kim@example.org', role => 'admin');
my @by = (token => $admin->{token});
my $kim = $roster->call(user_invite => 200, @by, json => \%invitation)->{json};
is_deeply [@$kim{qw(email name role)}], ['kim@example.org', 'Kim', 'admin'], 'an invitation by the API';
my $to_kim = next_mail(qr/^To: kim\@/m);
like $to_kim->{subject}, qr/^Your account/, '... sends the same mail';
my %of_kim = (in => {user_id => $kim->{id}});
$roster->call(user_password_link => 200, @by, %of_kim);
my $further = next_mail(qr/^To: kim\@/m);
like $further->{subject}, qr/^Your account/, '... once more';
reset_by($to_kim->{secret}, $NEW, 'INVALID_LINK');
reset_by($further->{secret});
$roster->call(user_password_link => 200, @by, %of_kim);
my $of_reset = next_mail(qr/^To: kim\@/m);
unlike $of_reset->{subject}, qr/^Your account/, 'who has a password gets a link for another one';
reset_by($of_reset->{secret});
my $short = $roster->call(user_invite => 200, @by, json => {email => 'lea@example.org'})->{json};
is_deeply [@$short{qw(name role)}], ['lea', 'user'], 'the address gives the name, where there is none';
next_mail(qr/^To: lea\@/m);
$roster->call(user_invite => 'EMAIL_TAKEN', @by, json => \%invitation);
$roster->call(user_invite => 'INVALID_EMAIL_FORMAT', @by, json => {%invitation, email => 'no address'});
$roster->sql(
    "CREATE TRIGGER refuse BEFORE INSERT ON user FOR EACH ROW SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'no'");
$roster->call(user_invite => 'CREATE_USER_ERROR', @by, json => {%invitation, email => 'mia@example.org'});
$roster->sql('DROP TRIGGER refuse');
$roster->call(user_password_link => 'USER_NOT_FOUND', @by, in => {user_id => 'nobody'});
$roster->sql('UPDATE auth SET active = 0 WHERE id = ?', $kim->{id});
is_problem $roster->call(user_password_link => 'ACTION_PROHIBITED', @by, %of_kim), 403, 'ACTION_PROHIBITED',
    'who is disabled gets no link';

# ---- Notices ----

is_quiet();
my $carl = $roster->add_user(email => 'carl@example.org', name => 'Carl');
my $agent = ['User-Agent' => 'A browser/1.0 <script>'];
is $roster->sign_in($carl, client => '192.0.2.10')->{status}, 200, 'a first sign-in';
my $known = $roster->sign_in($carl, client => '192.0.2.10');
is_quiet();
is scalar(grep { $_->{to} eq 'carl@example.org' } $mail->messages), 0,
    'no notice of the first, nor from the same network';
my ($cookie) = map { /^(roster_device=\w+)/ } @{$known->{set_cookie}};
is $roster->request(
    POST => '/auths/signin',
    json => {email => $carl->{email}, password => $carl->{password}},
    client => '192.0.2.11',
    headers => [Cookie => $cookie]
)->{status}, 200, 'the device elsewhere';
is_problem $roster->sign_in($carl, client => '192.0.2.12', password => 'wrong password'), 400, 'INVALID_CRED',
    'a guess';
is_quiet();
is scalar(grep { $_->{to} eq 'carl@example.org' } $mail->messages), 0, 'no notice of a known device, nor of a guess';
$roster->sign_in($carl, client => '192.0.2.13', headers => $agent);
my $notice = next_mail(qr/^To: carl\@/m);
like $notice->{subject}, qr/^New sign-in at/, 'a notice of an unknown device';
like $notice->{text}, qr/^Network address: 192\.0\.2\.13\nProgram: A browser\/1\.0 <script>$/m, '... tells from where';
like $notice->{html}, qr/Program: A browser\/1\.0 &lt;script&gt;/, '... escaped in HTML';
is $roster->update_user($admin, $carl, {email => 'carla@example.org', password => 'another password'})->{status}, 200,
    'another address and another password by an administrator';
my %told = map { ($_->{to} => $_->{subject}) } next_mail(qr/^To: carl\w*\@/m), next_mail(qr/^To: carl\w*\@/m);
like $told{'carl@example.org'} // '', qr/has another address/, 'the former address is told';
like $told{'carla@example.org'} // '', qr/^Your password/, '... and the new one of the password';
unlike join('', map { $_->{raw} } grep { $_->{to} eq 'carl@example.org' } $mail->messages), qr/carla\@/,
    'the former one does not learn the new one';
$roster->reconfigure(mail_notices => '""');
$before = $mail->count;
$roster->sign_in('carla@example.org', client => '192.0.2.14', password => 'another password');
$roster->update_user($admin, $carl, {email => 'carl@example.org', password => 'a third good password'});
is_quiet();
is $mail->count, $before, 'without mail_notices there are none';

# ---- Verified addresses ----

$roster->reconfigure(mail_notices => '""', verify_email => 'yes');
my %verified = map { ($_->{email} => $_->{email_verified_at}) } @{$roster->ctl_json('user', 'list')};
is $verified{'carl@example.org'}, undef, 'an address that nobody has verified';
$roster->change_settings($admin, ENABLE_SIGNUP => JSON::PP::true);
my $signed_up = $roster->call(
    sign_up => 200,
    json => {name => 'Buy http://spam.example.net now', email => 'gina@example.org', password => $NEW});
my $ask = next_mail(qr/^To: gina\@/m);
like $ask->{link}, qr{/account/verify#}, 'who signs up is asked to verify the address';
unlike $ask->{raw}, qr/spam/, '... in no words of whoever signed up';
is $roster->sign_in('gina@example.org', password => $NEW)->{status}, 200, 'the account works meanwhile';
reset_by($ask->{secret}, $NEW, 'INVALID_LINK');
$roster->call(email_verify => 200, json => {token => $ask->{secret}});
like $roster->ctl_json('user', 'show', 'gina@example.org')->{email_verified_at} // '', qr/^\d+$/, 'verified';
like $roster->ctl('user', 'show', 'gina@example.org')->{out}, qr/^email_verified_at +\d{4}-/m, '... as rosterctl shows';
$roster->call(email_verify => 'INVALID_LINK', json => {token => $ask->{secret}});
$roster->ctl('user', 'set', 'gina@example.org', '--email', 'gina2@example.org');
is $roster->ctl_json('user', 'show', 'gina2@example.org')->{email_verified_at}, undef, 'another address is not';
$roster->call(email_verify => 200, json => {token => next_mail(qr/^To: gina2\@/m)->{secret}});

# ---- What people are called, and what their addresses hold ----

my $odd = $roster->add_user(email => 'odd@example.org', name => "Eve\r\nBcc: victim\@example.org\r\n\r\nBody");
$roster->ctl('user', 'reset', 'odd@example.org');
my $injected = next_mail(qr/^To: odd\@/m);
is_deeply $injected->{rcpt}, ['odd@example.org'], 'a name with line ends adds no recipient';
unlike $injected->{raw}, qr/^(?:Bcc|Body)/m, '... and no line';
for my $address (
    'x@example.org,victim@example.org', 'one,victim@example.org',
    '"x"victim@example.org', 'a(b)<victim@example.org>')
{
    my $evil = $roster->add_user(email => $address);
    my $given_up = () = $roster->log_text =~ /is given up: its address can't stand in a mail/g;
    $roster->ctl('user', 'reset', $evil->{id});
    ok wait_until(
        20, sub { $given_up < (() = $roster->log_text =~ /is given up: its address can't stand in a mail/g) }
        ),
        "$address is no address of a mail";
}
$roster->add_user(email => 'jürgen@müller.example.org', name => 'Jürgen');
$roster->ctl('user', 'reset', 'jürgen@müller.example.org');
like next_mail(qr/^Subject: Choose.*rgen/ms)->{text}, qr/^Hello Jürgen,$/m, 'an address in UTF-8 (RFC 6531)';
$roster->add_user(email => 'refused@example.org');
$roster->ctl('user', 'reset', 'refused@example.org');
ok wait_until(20, sub { $roster->log_text =~ /mail \d+ \(reset\) is given up: exit status 65: .*no such person/ }),
    'what the server refuses for ever is given up';
unlike join(' ', map { $_->{rcpt} ? @{$_->{rcpt}} : () } $mail->messages), qr/victim/, 'nobody else got anything';
is scalar(grep { $_->{error} && !defined $_->{next_at} } @{$roster->ctl_json('mail', 'list')}), 5,
    'rosterctl lists them';
is $roster->ctl('mail', 'retry', '999999')->{status}, 3, 'there is no other one';
is $roster->ctl('mail', 'retry', 'all')->{status}, 2, 'and ids are numbers';

# ---- The texts ----

$roster->reconfigure(mail_language => 'de');
$roster->ctl('mail', 'test', 'somebody@example.org');
like next_mail(qr/kommt an/)->{text}, qr/^Guten Tag,$/m, 'in German';
my $own = $roster->directory . '/own';
system('cp', '-r', "$Roster::source/conf/mail", $own) == 0 or die;
$roster->reconfigure(mail_language => '""', mail_directory => $own);

sub breaks ($file, $change, $pattern) {
    my $text = Roster::Database::slurp("$own/$file");
    my $broken = $change ? $change->($text) : undef;
    defined $broken ? Roster::Database::write_file("$own/$file", $broken) : unlink "$own/$file";
    my ($status, $said) = $roster->run_program('roster', '-c', $roster->config_file, '-t');
    ok $status && $said =~ $pattern, "roster -t: $pattern" or diag $said;
    Roster::Database::write_file("$own/$file", $text);
    return;
}
breaks(
    'reset.txt',
    sub ($text) { $text =~ s/\{\{expires\}\}/{{expire}}/r },
    qr{/own/reset\.txt:10: there is no value \{\{expire\}\}});
breaks('reset.html', sub ($text) { $text =~ s/\{\{link\}\}/#/r }, qr{/own/reset\.html: \{\{link\}\} is missing});
breaks('test.txt', sub ($text) { "Hello\n$text" }, qr{/own/test\.txt:1: write the line `Subject: });
breaks('test.txt', sub ($text) { $text =~ s/\n\n/\nX-Header: x\n\n/r }, qr{/own/test\.txt:2: write an empty line});
breaks('test.txt', sub ($text) { "$text {{site\n" }, qr{/own/test\.txt:10: \}\} is missing});
breaks('test.txt', sub ($text) { "$text {{link}}\n" }, qr{/own/test\.txt:10: this mail carries no link});
breaks('verify.html', undef, qr{/own/verify\.html: can't be read: No such file});
my ($status, $said) = $roster->run_program('roster', '-c', $roster->config_file, '-t');
like $said, qr/mails are handed to \S+msmtp -C/, 'and good ones are good' or diag $said;
Roster::Database::write_file("$own/test.html", '');
Roster::Database::write_file("$own/test.txt", "Subject: Only text\n\nHello\n");
$roster->ctl('mail', 'test', 'plain@example.org');
my $plain = next_mail(qr/Only text/);
like $plain->{head}, qr{^Content-Type: text/plain; charset=utf-8$}m, 'an empty HTML file: plain text alone';

# ---- A process of its own ----

$roster->{options}{arguments} = ['-M'];
$roster->restart('roster');
forget('bob@example.org');
ok !wait_until(1, sub { !$roster->sql('SELECT COUNT(*) FROM mail') }), '-M: the service sends nothing';
my @senders = map {
    Roster::Process->start(
        "mailer$_",
        ["$Roster::build/roster", '-c', $roster->config_file, '-m'],
        log => $roster->directory . "/log/mailer$_.log")
} 1 .. 2;
ok next_mail(qr/^To: bob\@/m)->{link}, '-m does';
my @crowd = map { "crowd$_\@example.org" } 1 .. 20;
$roster->add_user(email => $_) for @crowd;
$roster->sql(
    'INSERT INTO mail (kind, user_id, created_at, next_at) SELECT ?, id, UNIX_TIMESTAMP(), UNIX_TIMESTAMP() FROM user WHERE email LIKE ?',
    'reset', 'crowd%');
ok wait_until(60, sub { !$roster->sql('SELECT COUNT(*) FROM mail WHERE next_at IS NOT NULL') }),
    'two of them send twenty';
is_deeply [sort map { $_->{to} } grep { $_->{to} =~ /^crowd/ } $mail->messages], [sort @crowd], '... each once';
$roster->secret($_->{secret}) for grep { $_->{secret} } $mail->messages;
is $senders[0]->stop('TERM'), 0, 'it ends well when it is stopped';
is $senders[1]->stop('QUIT'), 0, '... and at a reload';

# ---- Without mails ----

$roster->{options}{arguments} = [];
$roster->set_directives(sendmail_command => '""');
$roster->restart('roster');
is $roster->get('/auths/site')->{json}{password_reset}, JSON::PP::false, 'the sign-in page offers nothing';
$roster->call(password_forgot => 'ACTION_PROHIBITED', json => {email => 'bob@example.org'});
$roster->call(user_invite => 'ACTION_PROHIBITED', @by, json => \%invitation);
$roster->call(user_password_link => 'ACTION_PROHIBITED', @by, in => {user_id => $admin->{id}});
is $roster->ctl('user', 'reset', 'bob@example.org')->{status}, 4, 'rosterctl says that there are no mails';
like $roster->ctl('user', 'reset', 'bob@example.org', '--print')->{out}, qr{/account/reset#}, '... but prints links';
is $roster->ctl('mail', 'test', 'bob@example.org')->{status}, 4, '... and tries nothing';
$roster->reconfigure(password_sign_in => 'no');
$roster->call(password_reset => 'ACTION_PROHIBITED', json => {token => 'whatever', new_password => $NEW});
done_testing;
