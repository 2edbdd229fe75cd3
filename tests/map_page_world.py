"""Rows of a small shop for the console's map page: clients, two web servers, an application that reaches its database and
fails to reach a mail server, and a machine that talks to nobody."""

from service_map_world import World


def small_shop():
    """The last half hour of the shop."""
    world = World()
    world.machine("web-01", "10.0.1.1")
    world.machine("web-02", "10.0.1.2")
    world.machine("app-01", "10.0.2.1")
    world.machine("db-01", "10.0.3.1", family="windows")
    world.machine("idle-01", "10.0.4.1")
    then = world.at(30)
    for name in world.machines:
        world.computer(name, then)
    for minutes_ago in range(30, 0, -2):
        time = world.at(minutes_ago)
        for web, address in [("web-01", "10.0.1.1"), ("web-02", "10.0.1.2")]:
            world.process(web, "nginx", time, Group="nginx")
            world.port(web, "nginx", "0.0.0.0", 443, time)
            world.connection(web, "nginx", "inbound", "203.0.113.7", address, 443, time)
            world.connection(web, "nginx", "inbound", "203.0.113.8", address, 443, time)
            world.call((web, "nginx"), ("app-01", "java"), address, "10.0.2.1", 8080, time)
        world.process("app-01", "java", time)
        world.process("app-01", "cron", time)
        world.port("app-01", "java", "10.0.2.1", 8080, time)
        world.process("db-01", "postgres", time)
        world.port("db-01", "postgres", "10.0.3.1", 5432, time)
        world.call(("app-01", "java"), ("db-01", "postgres"), "10.0.2.1", "10.0.3.1", 5432, time, sent=20_000, received=900_000)
        world.connection("app-01", "java", "outbound", "10.0.2.1", "198.51.100.25", 25, time, established=0, live=0, failed=2, sent=0, received=0, dns=["mail.example.net"])
    return world
