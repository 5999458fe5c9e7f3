# CVE-2026-45675, CWE-362: many sign-ups at once on an empty installation become administrators.
use v5.36;

use Test::More;
use Roster::Attack;

attack 'thirty strangers at once' => sub ($roster) {
    my @tables = qw(user auth config);
    $roster->sql("DELETE FROM `$_`") for @tables;
    # Held back at the lock that decides who is first, so that all are in the middle of it.
    my $beside = Roster::Database->connect($roster->socket_path('mariadb'));
    $beside->run('START TRANSACTION');
    $beside->run(q{INSERT INTO config (id, data) VALUES (1, '{}')});
    my @sockets = map {
        my $socket = $roster->open_connection(client => "192.0.2.$_");
        syswrite $socket,
            Roster::Http::compose(
            POST => '/api/v1/auths/signup',
            json => {name => "Person $_", email => "race$_\@example.org", password => "password $_ of some"});
        $socket;
    } 1 .. 30;
    $roster->wait_statement('FOR UPDATE$|^INSERT', 1);
    $beside->run('ROLLBACK');
    $beside->disconnect;
    my %outcomes;
    $outcomes{in_short($_)}++ for map { Roster::Http::exchange($_, '') } @sockets;
    is_deeply \%outcomes, {'200' => 1, '403 ACCESS_PROHIBITED' => 29}, 'one is the first' or diag explain \%outcomes;
    is_deeply [$roster->sql('SELECT role, COUNT(*) FROM user GROUP BY role')], [['admin', 1]], '... and the only one';
    $roster->sql("DELETE FROM `$_`") for @tables;
};

end_of_attacks;
