# The pages to which mails lead, in a browser: a forgotten password, an invitation, an address to be verified. mail.mjs
# clicks and looks.
use v5.36;
use utf8;

use Test::More;
use Roster;
use Roster::Browser;
use Roster::Mail;

my $lacks = Roster::Browser::lacks() // (Roster::Mail::msmtp() ? undef : 'msmtp is not installed');
plan skip_all => $lacks if defined $lacks;

my $roster = Roster->new(tcp => 1, start => 0, config => {site_name => 'Example users'});
my $mail = Roster::Mail->new($roster->directory);
$roster->{port}{http} = Roster::free_port();
$roster->set_directives($mail->directives, public_url => $roster->url);
$roster->start;
$roster->secret($_) for 'another good battery', 'a third good battery';
my %person = (
    admin => $roster->add_user(role => 'admin', name => 'Ada Lovelace', email => 'ada@example.org'),
    bob => $roster->add_user(name => 'Bob', email => 'bob@example.org'));
$roster->ctl('user', 'invite', 'eve@example.org', '--name', 'Eve');
$roster->sql(
    'INSERT INTO mail (kind, user_id, created_at, next_at) SELECT ?, id, UNIX_TIMESTAMP(), UNIX_TIMESTAMP() FROM user '
        . 'WHERE email = ?',
    'verify', 'ada@example.org');
my %link = map { ($_ => $mail->wait_for(qr/^To: $_\@/m)) } qw(eve ada);
$roster->secret($_->{secret}) for values %link;
Roster::Browser::run(
    $roster, 'mail', %person,
    maildir => $roster->directory . '/mail/new',
    invitation => $link{eve}{link},
    verification => $link{ada}{link});
$roster->secret($_->{secret}) for grep { $_->{secret} } $mail->messages;
like $roster->sql('SELECT email_verified_at FROM user WHERE email = ?', 'ada@example.org') // '', qr/^\d+$/, 'verified';
is $roster->sql('SELECT COUNT(*) FROM one_time_link l JOIN user u ON u.id = l.user_id WHERE u.name <> ?', 'Ivy'), 0,
    'all links are used';
done_testing;
