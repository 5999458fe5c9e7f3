# Roster::Faults::Replica: a second MariaDB behind the second relay of a stack of Roster::Faults, which takes over.
#
# It follows the first one by GTID, semi-synchronously: a transaction is told to be committed when the replica has it
# (rpl_semi_sync_master_wait_point = AFTER_SYNC). Without that, what was acknowledged last would be gone with the source.
package Roster::Faults::Replica;
use v5.36;

use IO::Socket::UNIX;

use Roster::Database;
use Roster::Process;

sub start ($faults) {
    my $roster = $faults->roster;
    my $socket = $roster->socket_path('second');
    $roster->spawn(
        'second',
        Roster::Database::server_command(
            $roster->{directory} . '/mariadb/second', $socket,
            '--innodb-flush-log-at-trx-commit=2', $faults->binlog(2),
            '--read-only=1', '--skip-slave-start'
        ));
    $roster->wait_for('second', sub { IO::Socket::UNIX->new(Peer => $socket) });
    return Roster::Database->connect($socket);
}

sub copy ($faults, $from, $to) {
    my $directory = $faults->directory . '/mariadb';
    system('rm', '-rf', "$directory/$to") == 0 && system('cp', '-a', "$directory/$from", "$directory/$to") == 0
        or die "cp failed\n";
    return;
}

# A replica of the server, from a copy of its files at one moment.
sub follow ($faults) {
    my $roster = $faults->roster;
    $roster->disconnect;
    $roster->pause('mariadb');
    copy($faults, 'data', 'second');
    $roster->resume('mariadb');
    my $second = $faults->{second} = start($faults);
    my $position = ($second->run('SELECT @@gtid_binlog_pos'))[1][0][0];
    $second->run('RESET MASTER');
    $second->run('SET GLOBAL gtid_slave_pos = ?', $position);
    $second->run(
              "CHANGE MASTER TO MASTER_HOST = '127.0.0.1', MASTER_PORT = $faults->{ports}[0], MASTER_USER = 'replica', "
            . "MASTER_PASSWORD = 'replica', MASTER_USE_GTID = slave_pos");
    $second->run('SET GLOBAL rpl_semi_sync_slave_enabled = 1');
    $second->run('START SLAVE');
    $roster->sql(q{SET GLOBAL rpl_semi_sync_master_wait_point = 'AFTER_SYNC'});
    $roster->sql('SET GLOBAL rpl_semi_sync_master_timeout = 600000');
    $roster->sql('SET GLOBAL rpl_semi_sync_master_enabled = 1');
    my $follows = sub {
        my %status = map { @$_ } $roster->sql(q{SHOW GLOBAL STATUS LIKE 'Rpl_semi_sync_master_%'});
        return $status{Rpl_semi_sync_master_status} eq 'ON' && $status{Rpl_semi_sync_master_clients} > 0;
    };
    Roster::Process::wait_until(20, $follows) or die "the replica does not follow:\n" . $roster->log_tail('second');
    # What was committed before that has not waited for the replica.
    my $now = $roster->sql('SELECT @@gtid_binlog_pos');
    my $seconds = 20 * $Roster::Process::patience;
    my (undef, $rows) = $second->run("SELECT MASTER_GTID_WAIT(?, $seconds)", $now);
    $rows->[0][0] == 0 or die "the replica does not catch up:\n" . $roster->log_tail('second');
    return;
}

# The source is gone: what the replica has got it carries out, and then it takes writes.
sub promote ($faults) {
    my $second = $faults->{second};
    my $done = sub {
        my ($names, $rows) = $second->run('SHOW SLAVE STATUS');
        my %status;
        @status{@$names} = @{$rows->[0]};
        return $status{Slave_SQL_Running_State} =~ /has read all relay log/;
    };
    Roster::Process::wait_until(20, $done) or die "the replica does not come to its end\n";
    $second->run('STOP SLAVE');
    $second->run('RESET SLAVE ALL');
    $second->run('SET GLOBAL read_only = 0');
    return;
}

# As an administrator does at a quiet moment: the data of the second is that of the first again, which takes its place.
sub move_back ($faults) {
    my $roster = $faults->roster;
    $faults->{second}->run('SET GLOBAL read_only = 1');
    (delete $faults->{second})->disconnect;
    $roster->stop('second');
    delete $roster->{process}{second};
    copy($faults, 'second', 'data');
    $roster->start('mariadb');
    $faults->wait_recovery or die "the first MariaDB is not used again\n";
    return;
}

1;
